import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { resolveTool } from '@delos/cluster';
import { keySetOf, REGISTRY_ISSUER, REGISTRY_SERVICE, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { makeChart } from '../../support/machine/chart.ts';
import { signingKey } from '../../support/registry/server.ts';
import { until } from '../../support/until.ts';

/* The program of the chart repository and of the registry's tokens, by itself. */

let folder: string;
let program: string;
let users: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-depot-'));
  ({ path: program } = await resolveTool('depot', silent));
  users = join(folder, 'users');
  await writeFile(users, `admin:${createHash('sha256').update('hush').digest('hex')}\n`);
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function start(verb: string, env: Readonly<Record<string, string>>) {
  const port = await freePort();
  const own = { DEPOT_LISTEN: `127.0.0.1:${port}`, DEPOT_USERS: users, ...env };
  const child = spawn(program, [verb], { env: own, stdio: 'ignore' });
  running.add(child);
  const url = `http://127.0.0.1:${port}`;
  await until(`depot ${verb}`, 20, async () => {
    const answer = await fetch(url).catch(() => undefined);
    return answer === undefined ? undefined : true;
  });
  const kill = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    running.delete(child);
  };
  return { url, kill };
}

const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`admin:${password}`).toString('base64')}` });

describe('charts', () => {
  const data = () => join(folder, 'charts');
  const serve = () => start('charts', { DEPOT_CHARTS: data() });
  const upload = async (url: string, body: Buffer): Promise<number> =>
    (await fetch(`${url}/api/charts`, { method: 'POST', body: new Uint8Array(body), headers: basic('hush') })).status;
  const versions = async (url: string): Promise<number> => {
    const index = z.object({ entries: z.record(z.string(), z.array(z.unknown())) });
    const { entries } = index.parse(parse(await (await fetch(`${url}/index.yaml`)).text()));
    return Object.values(entries).flat().length;
  };
  const packed = async (description: string): Promise<Buffer> => {
    return await makeChart(await mkdtemp(join(folder, 'bad-')), 'x', '1.0.0', description);
  };

  test.each([
    ['no archive', Buffer.from('x')],
    ['an archive that is cut off', gzipSync(Buffer.alloc(4096, 1)).subarray(0, 20)],
    ['zeros that unpack to more than is read', gzipSync(Buffer.alloc(210 * 2 ** 20))],
  ])('%s is refused', async (_, body) => {
    const { url, kill } = await serve();
    expect([await upload(url, body), await versions(url)]).toEqual([400, 0]);
    await kill();
  });

  test.each([
    ['a name that leads elsewhere', 'name: ../../etc/x\nversion: 1.0.0\n'],
    ['a name of a hidden file', 'name: .x\nversion: 1.0.0\n'],
    ['no version', 'name: x\n'],
    ['a version that leads elsewhere', 'name: x\nversion: 1.0.0/../../x\n'],
    ['a list', '- x\n'],
    ['no YAML', '{'],
  ])('%s is refused', async (_, description) => {
    const { url, kill } = await serve();
    expect([await upload(url, await packed(description)), await versions(url)]).toEqual([400, 0]);
    await kill();
  });

  test('one that is too large is refused', async () => {
    const { url, kill } = await serve();
    expect(await upload(url, Buffer.alloc(22 * 2 ** 20))).toBe(413);
    await kill();
  });

  test('paths lead to nothing but archives', async () => {
    await mkdir(data(), { recursive: true });
    await writeFile(join(folder, 'other.tgz'), 'secret');
    const { url, kill } = await serve();
    for (const path of [
      '/charts/..%2fother.tgz',
      '/charts/%2e%2e/other.tgz',
      '/charts/',
      '/../users',
      '/charts/.new-1.tgz',
    ]) {
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 404]);
    }
    await kill();
  });

  test('what was answered 201 is there after SIGKILL, and half of a chart never is', async () => {
    const charts = await Promise.all(
      Array.from({ length: 30 }, async (_, nth) => makeChart(await mkdtemp(join(folder, 'c-')), 'app', `1.0.${nth}`)),
    );
    const taken = new Set<number>();
    for (let round = 0; round < 3; round += 1) {
      const { url, kill } = await serve();
      const sent = charts.map(async (chart, nth) => {
        const status = await upload(url, chart).catch(() => 0);
        if (status === 201) taken.add(nth);
      });
      await new Promise((resolve) => setTimeout(resolve, 10 + 10 * round));
      await kill();
      await Promise.all(sent);
      const again = await serve();
      expect(await versions(again.url)).toBeGreaterThanOrEqual(taken.size);
      for (const nth of taken) {
        const got = await fetch(`${again.url}/charts/app-1.0.${nth}.tgz`);
        expect(Buffer.from(await got.arrayBuffer()).equals(charts[nth] ?? Buffer.alloc(0))).toBe(true);
      }
      await again.kill();
      expect((await readdir(data())).filter((name) => !/^app-1\.0\.\d+\.tgz$/.test(name))).toEqual([]);
    }
    expect(taken.size).toBeGreaterThan(0);
  });
});

describe('tokens', () => {
  test('let everybody pull, and nobody do more without the password', async () => {
    const key = signingKey();
    const file = join(folder, 'key');
    await writeFile(file, key);
    const env = { DEPOT_KEY: file, DEPOT_ISSUER: REGISTRY_ISSUER, DEPOT_SERVICE: REGISTRY_SERVICE };
    const { url, kill } = await start('tokens', env);
    const keys = createLocalJWKSet(JSON.parse(keySetOf(key)));
    const granted = async (scope: string, headers: Record<string, string> = {}): Promise<unknown> => {
      const answer = await fetch(`${url}/?service=${REGISTRY_SERVICE}&scope=${encodeURIComponent(scope)}`, { headers });
      if (answer.status !== 200) return answer.status;
      const { token } = z.object({ token: z.string() }).parse(await answer.json());
      const { payload } = await jwtVerify(token, keys, { issuer: REGISTRY_ISSUER, audience: REGISTRY_SERVICE });
      expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
      return payload.access;
    };
    const of = (...actions: readonly string[]) => [{ type: 'repository', name: 'a:5000/b', actions }];
    expect(await granted('repository:a:5000/b:pull,push')).toEqual(of('pull'));
    expect(await granted('repository:a:5000/b:pull,push', basic('hush'))).toEqual(of('pull', 'push'));
    expect(await granted('repository:a:5000/b:pull', basic('no'))).toBe(401);
    expect(await granted('registry:catalog:*')).toEqual([]);
    expect(await granted('anything')).toBe(400);
    expect((await fetch(`${url}/?service=other`)).status).toBe(400);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
    await kill();
  });
});
