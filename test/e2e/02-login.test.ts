import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { api } from '../support/api.ts';
import { type ApoloClient, apoloClient, tryOpenedUrl } from '../support/apolo.ts';
import { Browser } from '../support/browser.ts';
import { delos, loggedIn, password, type TestPlatform, testPlatform, token } from '../support/instance.ts';
import { until } from '../support/until.ts';

describe('a user logs in', () => {
  let platform: TestPlatform;
  const clients: ApoloClient[] = [];
  const client = async (): Promise<ApoloClient> => {
    const made = await apoloClient();
    clients.push(made);
    return made;
  };
  beforeAll(async () => {
    platform = await testPlatform();
  });
  afterAll(async () => {
    for (const made of clients) await made.close();
  });

  test('by browser: authorization code with PKCE, sent back to the client’s own port', async () => {
    const person = await client();
    const login = person.start(['login', platform.apiUrl], { timeout: 100 });
    const url = await until('the client opens its browser', 30, () => tryOpenedUrl(person));
    expect(new URL(url).searchParams.get('code_challenge_method')).toBe('S256');
    const browser = new Browser();
    const page = await browser.open(url);
    const back = await browser.submit(page, { username: 'ann', password: await password('ann') });
    expect(back.status).toBe(200);
    const { code, stdout, stderr } = await login.end;
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('Logged into');
    expect(await person.ok(['config', 'show'])).toMatch(/User name:?\s+ann/i);
  });

  test('not by browser with a wrong password', async () => {
    const person = await client();
    const login = person.start(['login', platform.apiUrl], { timeout: 100 });
    const url = await until('the client opens its browser', 30, () => tryOpenedUrl(person));
    const browser = new Browser();
    const page = await browser.submit(await browser.open(url), { username: 'ann', password: 'not hers' });
    expect(page.body).toMatch(/invalid username or password/i);
    login.child.kill('SIGINT');
    expect((await login.end).code).not.toBe(0);
  });

  // Seen by hand up to the page that shows the code; the client's prompt does not take it from a pipe here.
  test.todo('headless: opens the page elsewhere and types in the code that it shows');

  test('by token, with what `delos token` prints', async () => {
    const person = await loggedIn('ann');
    clients.push(person);
    expect(await person.ok(['config', 'show'])).toContain('ann');
    expect((await person.ok(['config', 'show-token'])).trim().split('.')).toHaveLength(3);
  });

  test('and sees presets, capacity and quota', async () => {
    const person = await loggedIn('ann');
    clients.push(person);
    const shown = await person.ok(['config', 'show']);
    for (const preset of ['tiny', 'small', 'gpu', 'huge']) expect(shown).toContain(preset);
    expect(shown).toMatch(/quota/i);
    const capacity = await (await (await api('ann')).call('GET', '/jobs/capacity')).json();
    expect(capacity).toMatchObject({ tiny: expect.any(Number), huge: 0 });
    expect((capacity as Record<string, number>).tiny).toBeGreaterThan(0);
  });

  test('but not with a token that has expired', async () => {
    const old = await token('ann', '60s');
    await until('the token has expired', 180, async () =>
      (await fetch(`${platform.apiUrl}/jobs`, { headers: { authorization: `Bearer ${old}` } })).status === 401
        ? true
        : undefined,
    );
    const person = await client();
    const { code, stderr, stdout } = await person.run(['config', 'login-with-token', old, platform.apiUrl]);
    expect(code, stdout).not.toBe(0);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(5);
  });

  test('nor with a token that was revoked, while others stay good', async () => {
    const [bad, good] = [await token('ann'), await token('ann')];
    const id = JSON.parse(Buffer.from(bad.split('.')[1] ?? '', 'base64url').toString()) as { jti: string };
    const revoke = await delos(['token', '--revoke', id.jti]);
    expect(revoke.code, revoke.stderr).toBe(0);
    const status = async (bearer: string): Promise<number> =>
      (await fetch(`${platform.apiUrl}/jobs`, { headers: { authorization: `Bearer ${bearer}` } })).status;
    await until('the revoked token is refused', 30, async () => ((await status(bad)) === 401 ? true : undefined));
    expect(await status(good)).toBe(200);
  });

  test('nor with a token that someone else signed', async () => {
    const parts = (await token('ann')).split('.');
    const forged = [parts[0], Buffer.from(JSON.stringify({ identity: 'admin' })).toString('base64url'), parts[2]];
    const response = await fetch(`${platform.apiUrl}/jobs`, {
      headers: { authorization: `Bearer ${forged.join('.')}` },
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: expect.any(String) });
  });

  test('and nobody sees `delos token` accept a user who does not exist', async () => {
    const { code, stderr } = await delos(['token', '--user', 'nobody']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('nobody');
  });
});
