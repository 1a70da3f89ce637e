import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient, tryOpenedUrl } from '../../peers/src/apolo.ts';
import { Browser } from '../support/browser.ts';
import { delos, loggedIn, password, type TestPlatform, testPlatform, token } from '../support/instance.ts';
import { api } from '../support/service/api.ts';
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

  test('headless: opens the page elsewhere and types in the code that it shows', async () => {
    const person = await client();
    const login = person.startAtTerminal(['config', 'login-headless', platform.apiUrl], {
      timeout: 100,
      // The URL in one line.
      env: { COLUMNS: '2000', TERM: 'xterm' },
    });
    const url = await until('the client asks for the code', 60, (last) => {
      last(login.stdout());
      return /Open (\S+) in a browser.*Code .*->/s.exec(login.stdout())?.[1];
    });
    const browser = new Browser();
    const page = await browser.submit(await browser.open(url), { username: 'ann', password: await password('ann') });
    expect([page.status, page.url.split('?')[0]]).toEqual([200, `${platform.apiUrl}/headless`]);
    const code = /<textarea[^>]*>([^<]+)<\/textarea>/.exec(page.body)?.[1];
    expect(code, page.body).toBeDefined();
    login.child.stdin?.write(`${code}\r`);
    const end = await login.end;
    expect(end.code, end.stdout + end.stderr).toBe(0);
    expect(end.stdout).toContain(`Logged into ${platform.apiUrl} as ann`);
    expect(await person.ok(['config', 'show'])).toMatch(/User name:?\s+ann/i);
  });

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
    expect(shown).toMatch(/Current Project\s+default\b/);
    // The organization has a quota, and no person in it one of their own.
    expect(shown).toMatch(/^\s*Org Jobs Quota\s+77\s*$/m);
    for (const label of ['Jobs Quota', 'Credits Quota', 'Org Credits Quota']) {
      expect(shown).toMatch(new RegExp(`^\\s*${label}\\s+unlimited\\s*$`, 'm'));
    }
    // Presets in the order of the configuration, with how many such jobs find room now and what they cost.
    const rows = [...shown.matchAll(/^\s*(tiny|small|gpu|huge|root) .*\s(\d+)\s+[\d.]+\s*$/gm)];
    expect(rows.map(([, name]) => name)).toEqual(['tiny', 'small', 'gpu', 'huge', 'root']);
    expect(rows.map(([, , free]) => Number(free) > 0)).toEqual([true, true, true, false, true]);
    const capacity = await (await (await api('ann')).call('GET', '/jobs/capacity')).json();
    expect(capacity).toMatchObject({ tiny: expect.any(Number), huge: 0 });
    expect((capacity as Record<string, number>).tiny).toBeGreaterThan(0);
  });

  test('but not with a token that has expired', async () => {
    const old = await token('ann', '5s');
    await until('the token has expired', 30, async () =>
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
    const { code, stdout, stderr } = await delos(['token', '--user', 'nobody'], { timeout: 30 });
    expect(code, stderr).toBe(7);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^error: there is no user "nobody" who may log in .*\n +users are .*\n +ERR_NOT_FOUND: \S+$/m,
    );
  });
});
