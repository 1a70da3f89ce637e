import { setTimeout as sleep } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../../peers/src/command.ts';
import { beginLogin, codeOf, words } from '../../support/identity/login.ts';
import { delos, delosJson, kubectl, password, type TestPlatform, testPlatform, token } from '../../support/instance.ts';
import { killedAfter } from '../../support/killed-command.ts';

const listed = z.object({
  secrets: z.array(
    z.object({
      name: z.string(),
      address: z.string(),
      times: z.number(),
      phase: z.string(),
      way: z.looseObject({ kind: z.string() }),
    }),
  ),
});
const rotated = z.object({
  rotated: z.array(z.string()),
  phases: z.array(z.object({ name: z.string(), seconds: z.number() })),
});
const secretData = z.object({ data: z.record(z.string(), z.string()) });

async function secretAt(address: string): Promise<string> {
  const [namespace = '', name = '', key = ''] = address.split('/');
  const text = await kubectl(['get', 'secret', name, '--namespace', namespace, '-o', 'json']);
  const { data } = secretData.parse(JSON.parse(text));
  expect(Object.keys(data).filter((one) => /\.(next|former)$/.test(one))).toEqual([]);
  return Buffer.from(data[key] ?? '', 'base64').toString();
}

/** Requests and logins, one after the other, until it is stopped. */
class Load {
  readonly failed: string[] = [];
  requests = 0;
  logins = 0;
  issued = 0;
  #running = true;
  readonly #all: Promise<unknown>;

  constructor({ apiUrl, origin }: TestPlatform, bearer: string, secret: string) {
    const request = async (): Promise<void> => {
      const response = await fetch(`${apiUrl}/jobs?cluster_name=default`, {
        headers: { authorization: `Bearer ${bearer}` },
      });
      await response.text();
      if (response.status !== 200) throw new Error(`GET /jobs: ${response.status}`);
      this.requests += 1;
    };
    const logIn = async (): Promise<void> => {
      const { browser, page, redirect } = await beginLogin(`${origin}/auth/realms/delos`);
      let after = await browser.submit(page, { username: 'ann', password: secret }, redirect);
      // Keycloak keeps a page that it has shown in its memory: after its restart it shows the page again.
      if (codeOf(after) === '' && after.body.includes('name="password"')) {
        after = await browser.submit(after, { username: 'ann', password: secret }, redirect);
      }
      if (codeOf(after) === '') throw new Error(`login: ${words(after)}`);
      this.logins += 1;
    };
    const repeat = async (work: () => Promise<void>, pause: number): Promise<void> => {
      while (this.#running) {
        await work().catch((error: unknown) => this.failed.push(`${new Date().toISOString()} ${String(error)}`));
        await sleep(pause);
      }
    };
    const issue = async (): Promise<void> => {
      await expectOk(delos(['token', '--user', 'ann', '--ttl', '10m']));
      this.issued += 1;
    };
    this.#all = Promise.all([
      repeat(request, 200),
      repeat(request, 250),
      repeat(logIn, 1500),
      // A command's start costs a second of a processor.
      repeat(issue, 5000),
    ]);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#all;
  }
}

/** Whether PostgreSQL lets a role in with a password, by TCP as services come. */
async function letsIn(role: string, secret: string): Promise<boolean> {
  const psql = ['psql', '--host=127.0.0.1', `--username=${role}`, `--dbname=${role}`, '--command=select 1'];
  const inPod = ['exec', '--stdin', '--namespace', 'delos', 'postgres-0', '--container', 'postgres', '--'];
  const script = `read -r PGPASSWORD; export PGPASSWORD; exec ${psql.map((word) => `'${word}'`).join(' ')}`;
  const { code, stderr } = await delos(['kubectl', ...inPod, 'sh', '-c', script], { input: `${secret}\n` });
  if (code !== 0) expect(stderr).toContain('password authentication failed');
  return code === 0;
}

/** What a program prints within the control API's Pod, which is told a secret on its stdin. */
async function inControlApi(secret: string, program: string): Promise<string> {
  const inPod = [
    'exec',
    '--stdin',
    '--namespace',
    'delos',
    'deployment/control-api',
    '--container',
    'control-api',
    '--',
  ];
  const whole = `let t='';for await(const c of process.stdin)t+=c;t=t.trim();${program}`;
  return await expectOk(delos(['kubectl', ...inPod, 'node', '--input-type=module', '-e', whole], { input: secret }));
}

/** How the control API answers a collector that shows this token. */
const answerTo = async (secret: string): Promise<number> =>
  Number(
    await inControlApi(
      secret,
      "const r=await fetch('http://127.0.0.1:8081/internal/agent/v1/logs/none',{headers:{authorization:'Bearer '+t}});console.log(r.status)",
    ),
  );

/** How Keycloak answers its administrator. */
const administratorBy = async (secret: string): Promise<number> =>
  Number(
    await inControlApi(
      secret,
      "const b=new URLSearchParams({grant_type:'client_credentials',client_id:'delos-operator',client_secret:t});const r=await fetch(process.env.DELOS_KEYCLOAK_URL+'/realms/master/protocol/openid-connect/token',{method:'POST',body:b});console.log(r.status)",
    ),
  );

/** How the object storage answers its administrator, through the gateway. */
async function bucketsBy(origin: string, secretAccessKey: string): Promise<number> {
  const who = { accessKeyId: 'delos_admin', secretAccessKey, service: 's3', region: 'us-east-1', retries: 0 };
  return (await new AwsClient(who).fetch(`${origin}/s3/`)).status;
}

describe('secrets', () => {
  let platform: TestPlatform;
  const before = new Map<string, string>();
  let names: readonly { readonly name: string; readonly address: string }[];

  beforeAll(async () => {
    platform = await testPlatform();
    const { secrets } = await delosJson(listed, ['rotate', '--list']);
    names = secrets.filter(({ way }) => way.kind !== 'kept' && !('ends' in way));
    for (const { address } of names) before.set(address, await secretAt(address));
  });

  test('are all rotated while people log in and send requests, of which only logins at Keycloak’s start may fail', async () => {
    expect(names.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['keycloak-admin', 'token-issuer', 'object-storage-admin', 'postgres-delos']),
    );
    const load = new Load(platform, await token('ann'), await password('ann'));
    await sleep(5000);
    const rotating = delosJson(rotated, ['rotate', '--all'], { timeout: 900 });
    await rotating.catch(() => undefined);
    await load.stop();
    const done = await rotating;
    console.log(
      JSON.stringify({ phases: done.phases, requests: load.requests, logins: load.logins, issued: load.issued }),
    );
    expect(load.failed.filter((each) => !each.includes('/auth/realms/delos/'))).toEqual([]);
    expect(load.failed.length).toBeLessThan(3);
    expect(load.requests).toBeGreaterThan(100);
    expect(load.logins).toBeGreaterThan(5);
    expect(load.issued).toBeGreaterThan(5);
    expect([...done.rotated].sort()).toEqual(names.map(({ name }) => name).sort());
    for (const { address } of names) expect(await secretAt(address), address).not.toBe(before.get(address));
  });

  test('that were in use before open nothing any more, and those that are in use now do', async () => {
    for (const role of ['delos', 'keycloak']) {
      const address = `delos/postgres-${role}/password`;
      expect(await letsIn(role, before.get(address) ?? '')).toBe(false);
      expect(await letsIn(role, await secretAt(address))).toBe(true);
    }
    const collector = 'delos/collector-token/token';
    expect(await answerTo(before.get(collector) ?? '')).toBe(401);
    expect(await answerTo(await secretAt(collector))).not.toBe(401);
    const admin = 'delos/keycloak-admin/client-secret';
    expect(await administratorBy(before.get(admin) ?? '')).toBe(401);
    expect(await administratorBy(await secretAt(admin))).toBe(200);
    const objects = 'delos/object-storage-admin/secret';
    expect(await bucketsBy(platform.origin, before.get(objects) ?? '')).toBe(403);
    expect(await bucketsBy(platform.origin, await secretAt(objects))).toBe(200);
  });

  test('that end what people hold are rotated by their names, and the registry takes the tokens of now', async () => {
    const named = ['registry-token-key', 'object-storage-projects'];
    const authorization = `Basic ${Buffer.from(`ann:${await token('ann')}`).toString('base64')}`;
    const registry = async (): Promise<readonly [string, number]> => {
      const challenge = (await fetch(`${platform.origin}/v2/`)).headers.get('www-authenticate') ?? '';
      const realm = /realm="([^"]+)"/.exec(challenge)?.[1] ?? '';
      const service = /service="([^"]+)"/.exec(challenge)?.[1] ?? '';
      const query = new URLSearchParams({ service });
      const answer = await fetch(`${realm}?${query}`, { headers: { authorization } });
      const { token: bearer } = z.object({ token: z.string() }).parse(await answer.json());
      return [bearer, await opens(bearer)];
    };
    const opens = async (bearer: string): Promise<number> =>
      (await fetch(`${platform.origin}/v2/`, { headers: { authorization: `Bearer ${bearer}` } })).status;
    const [former, good] = await registry();
    expect(good).toBe(200);
    const done = await delosJson(rotated, ['rotate', ...named], { timeout: 900 });
    expect([...done.rotated].sort()).toEqual([...named].sort());
    expect(await opens(former)).toBe(401);
    expect((await registry())[1]).toBe(200);
  });

  test('leave a platform that `up` has nothing to do for, and that runs jobs', async () => {
    await expectOk(delos(['status']));
    const again = await delosJson(z.object({ changes: z.record(z.string(), z.number()) }), ['up'], { timeout: 900 });
    expect(again.changes).toMatchObject({ create: 0, update: 0, delete: 0, replace: 0 });
  });

  test.each(['accept both', 'use the new', 'refuse the former'])(
    'go on after a kill while they are at "%s"',
    async (phase) => {
      await killedAfter(['rotate', 'postgres-delos', 'agent-token', '--json'], new RegExp(`s  ${phase}$`, 'm'), 1500);
      // The platform serves in between.
      const response = await fetch(`${platform.apiUrl}/jobs?cluster_name=default`, {
        headers: { authorization: `Bearer ${await token('ann')}` },
      });
      expect(response.status).toBe(200);
      const former = await valueNow('delos/postgres-delos/password');
      const done = await delosJson(rotated, ['rotate', '--all'], { timeout: 900 });
      expect([...done.rotated].sort()).toEqual(['agent-token', 'postgres-delos']);
      const value = await secretAt('delos/postgres-delos/password');
      expect(await letsIn('delos', value)).toBe(true);
      if (phase === 'accept both') expect(await letsIn('delos', former)).toBe(false);
    },
  );
});

async function valueNow(address: string): Promise<string> {
  const [namespace = '', name = '', key = ''] = address.split('/');
  const text = await kubectl(['get', 'secret', name, '--namespace', namespace, '-o', `jsonpath={.data.${key}}`]);
  return Buffer.from(text, 'base64').toString();
}
