import { setTimeout as sleep } from 'node:timers/promises';
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
    this.#all = Promise.all([repeat(request, 200), repeat(request, 250), repeat(logIn, 1500)]);
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

/** How the control API answers a collector that shows this token. */
async function answerTo(secret: string): Promise<number> {
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
  const url = 'http://127.0.0.1:8081/internal/agent/v1/logs/none';
  const program = `let t='';for await(const c of process.stdin)t+=c;const r=await fetch('${url}',{headers:{authorization:'Bearer '+t.trim()}});console.log(r.status)`;
  const said = await expectOk(
    delos(['kubectl', ...inPod, 'node', '--input-type=module', '-e', program], { input: secret }),
  );
  return Number(said);
}

describe('secrets', () => {
  let platform: TestPlatform;
  const before = new Map<string, string>();
  let names: readonly { readonly name: string; readonly address: string }[];

  beforeAll(async () => {
    platform = await testPlatform();
    const { secrets } = await delosJson(listed, ['rotate', '--list']);
    names = secrets.filter(({ way }) => way.kind !== 'kept');
    for (const { address } of names) before.set(address, await secretAt(address));
  });

  test('are all rotated while people log in and send requests, of which only logins at Keycloak’s start may fail', async () => {
    expect(names.length).toBeGreaterThan(4);
    const load = new Load(platform, await token('ann'), await password('ann'));
    await sleep(5000);
    const rotating = delosJson(rotated, ['rotate', '--all'], { timeout: 900 });
    await rotating.catch(() => undefined);
    await load.stop();
    const done = await rotating;
    console.log(JSON.stringify({ phases: done.phases, requests: load.requests, logins: load.logins }));
    expect(load.failed.filter((each) => !each.includes('/auth/realms/delos/'))).toEqual([]);
    expect(load.failed.length).toBeLessThan(3);
    expect(load.requests).toBeGreaterThan(100);
    expect(load.logins).toBeGreaterThan(5);
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
