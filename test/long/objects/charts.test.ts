import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { type TestCharts, testCharts } from '../../support/charts/depot.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { goTool } from '../../support/go-tool.ts';
import { makeChart } from '../../support/machine/chart.ts';
import { type RegistryPlatform, registryPlatform } from '../../support/registry/platform.ts';
import { smallVolume } from '../../support/service/devpi.ts';

/*
 * The chart repository behind the gateway's own Caddyfile, with the real control API, a registry beside it, and helm. In project
 * acme/one alice is a writer and rita a reader; bob is in other/hidden. ChartMuseum itself is not here: its module is not served.
 */

const MIB = 2 ** 20;
const HELM = { path: 'helm.sh/helm/v3/cmd/helm', version: 'v3.22.0' };

let platform: RegistryPlatform;
let charts: TestCharts;
let gateway: TestGateway;
let program: string;
let work: string;
let nth = 0;

beforeAll(async () => {
  program = await goTool('helm', HELM.path, HELM.version);
  work = await mkdtemp(join(tmpdir(), 'delos-helm-'));
  platform = await registryPlatform(['alice', 'rita']);
  charts = await testCharts(platform.api.url, 6 * MIB);
  await charts.up();
  const port = Number(new URL(platform.api.url).port);
  gateway = await startGateway(
    { api: port, identity: port },
    { 'charts.delos.svc.cluster.local:8080': `127.0.0.1:${charts.port}` },
    'services: {charts: {enabled: true}}',
  );
}, 600_000);
afterAll(async () => {
  await gateway?.stop();
  await charts?.stop();
  await platform?.stop();
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

const at = (project = 'acme/one'): string => `http://127.0.0.1:${gateway.ports.http}/charts/${project}`;
async function ask(user: string, path: string, init: RequestInit = {}, project?: string): Promise<Response> {
  const login = Buffer.from(`${user}:${await platform.issuer.token(user)}`).toString('base64');
  return fetch(`${at(project)}${path}`, { ...init, headers: { authorization: `Basic ${login}`, ...init.headers } });
}
const upload = async (user: string, body: Buffer, query = '', project?: string): Promise<Response> =>
  ask(user, `/api/charts${query}`, { method: 'POST', body: new Uint8Array(body) }, project);
async function chart(name: string, version: string, description?: string): Promise<Buffer> {
  nth += 1;
  const folder = join(work, `made-${nth}`);
  await mkdir(folder);
  return makeChart(folder, name, version, description);
}
const helm = async (user: string, ...args: readonly string[]): Promise<CommandResult> => {
  const home = join(work, `home-${user}`);
  await mkdir(home, { recursive: true });
  return execute([program, ...args], { cwd: home, env: { PATH: '/usr/bin:/bin', HOME: home } });
};

test('a writer uploads as `helm cm-push` does, and a reader finds and pulls it by helm itself', async () => {
  const archive = await chart('web', '1.0.0');
  const form = new FormData();
  form.set('chart', new Blob([new Uint8Array(archive)]), 'web-1.0.0.tgz');
  expect((await ask('alice', '/api/charts', { method: 'POST', body: form })).status).toBe(201);
  expect((await upload('alice', await chart('web', '1.1.0'))).status).toBe(201);
  const login = ['--username', 'rita', '--password', await platform.issuer.token('rita')];
  await expectOk(helm('rita', 'repo', 'add', 'one', at(), ...login));
  const found = JSON.parse(await expectOk(helm('rita', 'search', 'repo', 'one/web', '--versions', '--output', 'json')));
  expect(found).toMatchObject([
    { name: 'one/web', version: '1.1.0' },
    { name: 'one/web', version: '1.0.0' },
  ]);
  await expectOk(helm('rita', 'pull', 'one/web', '--version', '1.0.0'));
  expect((await readFile(join(work, 'home-rita/web-1.0.0.tgz'))).equals(archive)).toBe(true);
  expect(await expectOk(helm('rita', 'template', 'mine', 'one/web'))).toContain('kind: ConfigMap');
});

test('what the guide says by curl: upload, conflict, replacement, removal', async () => {
  const token = await platform.issuer.token('alice');
  const file = join(work, 'tool-1.0.0.tgz');
  await writeFile(file, await chart('tool', '1.0.0'));
  const curl = async (...args: readonly string[]): Promise<string> =>
    (await execute(['curl', '-sS', '--user', `alice:${token}`, '-w', '%{http_code}', ...args])).stdout;
  const to = `${at()}/api/charts`;
  expect(await curl('--data-binary', `@${file}`, to)).toContain('201');
  expect(await curl('--data-binary', `@${file}`, to)).toContain('409');
  expect(await curl('--data-binary', `@${file}`, `${to}?force`)).toContain('201');
  expect(await curl('-X', 'DELETE', `${to}/tool/1.0.0`)).toContain('200');
  expect(await curl('-X', 'DELETE', `${to}/tool/1.0.0`)).toContain('404');
  expect(await curl(`${at()}/health`)).toContain('{"healthy":true}');
});

describe('who may do what', () => {
  test.each([
    ['rita', 'acme/one', 403],
    ['bob', 'acme/one', 404],
    ['alice', 'other/hidden', 404],
    ['alice', 'acme/none', 404],
    ['alice', 'acme', 404],
  ])('%s is refused an upload to %s with %i', async (user, project, status) => {
    expect((await upload(user, await chart('no', '1.0.0'), '', project)).status).toBe(status);
  });

  test.each(['bob', 'noel'])('%s does not learn that there are charts', async (user) => {
    for (const path of ['/index.yaml', '/api/charts', '/charts/web-1.0.0.tgz']) {
      expect([path, (await ask(user, path)).status]).toEqual([path, 404]);
    }
  });

  test('nobody is let in without a token, with another’s, or by a path that leads elsewhere', async () => {
    expect((await fetch(`${at()}/index.yaml`)).status).toBe(401);
    expect((await fetch(`${at()}/index.yaml`)).headers.get('www-authenticate')).toMatch(/^Basic /);
    const shown = async (user: string, of: string) => {
      const login = Buffer.from(`${user}:${await platform.issuer.token(of)}`).toString('base64');
      return (await fetch(`${at()}/index.yaml`, { headers: { authorization: `Basic ${login}` } })).status;
    };
    expect([await shown('alice', 'bob'), await shown('bob', 'alice'), await shown('alice', 'alice')]).toEqual([
      401, 401, 200,
    ]);
    expect((await upload('alice', await chart('kept', '1.0.0'), '', 'acme/tight')).status).toBe(201);
    for (const path of [
      '/charts/..%2f..%2ftight%2fkept-1.0.0.tgz',
      '/charts/%2e%2e/tight/kept-1.0.0.tgz',
      '/../tight/index.yaml',
    ]) {
      expect([path, (await ask('rita', path)).status]).toEqual([path, 404]);
    }
  });
});

describe('bounds', () => {
  test('a project’s charts are within its limit, and what is refused says what to do', async () => {
    const folder = join(work, 'large');
    await mkdir(join(folder, 'big/files'), { recursive: true });
    await writeFile(join(folder, 'big/files/blob'), randomBytes(3 * MIB));
    const large = (version: string) => makeChart(folder, 'big', version);
    expect((await upload('alice', await large('1.0.0'))).status).toBe(201);
    const refused = await upload('alice', await large('1.0.1'));
    expect([refused.status, await refused.text()]).toEqual([
      507,
      expect.stringContaining('remove some that nobody needs'),
    ]);
    expect((await ask('alice', '/api/charts/big/1.0.0', { method: 'DELETE' })).status).toBe(200);
    expect((await upload('alice', await large('1.0.1'))).status).toBe(201);
    expect((await ask('alice', '/api/charts/big/1.0.1', { method: 'DELETE' })).status).toBe(200);
  });

  test('a Chart.yaml of more than 64 KiB is refused, and all of them together are bounded', async () => {
    const described = (version: string, bytes: number) =>
      chart('wordy', version, `apiVersion: v2\nname: wordy\nversion: ${version}\ndescription: ${'x'.repeat(bytes)}\n`);
    expect((await upload('alice', await described('1.0.0', 65 * 1024))).status).toBe(400);
    const answers: number[] = [];
    for (let minor = 0; minor < 34; minor += 1)
      answers.push((await upload('alice', await described(`1.${minor}.0`, 62 * 1024))).status);
    expect(answers.filter((status) => status === 201).length).toBeGreaterThanOrEqual(30);
    expect(answers.at(-1)).toBe(507);
    for (const [minor, status] of answers.entries()) {
      if (status === 201) await ask('alice', `/api/charts/wordy/1.${minor}.0`, { method: 'DELETE' });
    }
    expect((await upload('alice', await described('2.0.0', 62 * 1024))).status).toBe(201);
    expect((await ask('alice', '/api/charts/wordy/2.0.0', { method: 'DELETE' })).status).toBe(200);
  });

  test('what is too large for the platform never gets to it, and damaged archives are refused', async () => {
    expect((await upload('alice', Buffer.alloc(23 * MIB))).status).toBe(413);
    expect((await upload('alice', Buffer.from('x'))).status).toBe(400);
  });

  test('where the volume is full an upload is refused in words, and what is there is given', async () => {
    const full = await testCharts(platform.api.url);
    const unmount = await smallVolume(full.data, 33);
    try {
      await full.up();
      const login = `Basic ${Buffer.from(`alice:${await platform.issuer.token('alice')}`).toString('base64')}`;
      const to = `http://127.0.0.1:${full.port}/charts/acme/one`;
      const send = async (body: Buffer) =>
        fetch(`${to}/api/charts`, { method: 'POST', body: new Uint8Array(body), headers: { authorization: login } });
      expect((await send(await chart('web', '1.0.0'))).status).toBe(201);
      await expectOk(execute(['dd', 'if=/dev/zero', `of=${full.data}/filler`, 'bs=1M', 'count=2']));
      const refused = await send(await chart('web', '1.1.0'));
      expect([refused.status, await refused.text()]).toEqual([
        507,
        expect.stringContaining('the volume of the chart repository is full'),
      ]);
      expect((await fetch(`${to}/charts/web-1.0.0.tgz`, { headers: { authorization: login } })).status).toBe(200);
    } finally {
      await full.kill();
      await unmount();
      await full.stop();
    }
  });
});

test('what was answered 201 is there after SIGKILL, project by project, and half of a chart never is', async () => {
  const taken: string[] = [];
  const sent = Array.from({ length: 12 }, async (_, each) => {
    const version = `3.0.${each}`;
    const project = each % 2 === 0 ? 'acme/one' : 'acme/tight';
    const body = await chart('killed', version);
    const status = await upload('alice', body, '', project).then(
      ({ status: is }) => is,
      () => 0,
    );
    if (status === 201) taken.push(`${project} ${version}`);
  });
  await Promise.any(sent);
  await charts.kill();
  await Promise.all(sent);
  await charts.up();
  expect(taken.length).toBeGreaterThan(0);
  for (const each of taken) {
    const [project = '', version = ''] = each.split(' ');
    expect((await ask('alice', `/charts/killed-${version}.tgz`, {}, project)).status).toBe(200);
  }
  const left = await readdir(join(charts.data, 'acme/one'));
  expect(left.filter((name) => !name.endsWith('.tgz'))).toEqual([]);
});

test('metrics name a project as all do, so that its members see them and nobody else', async () => {
  const text = await (await fetch(`http://127.0.0.1:${charts.internalPort}/metrics`)).text();
  expect(text).toMatch(/^delos_charts_project_bytes\{project="acme\/one"\} [1-9]\d*$/m);
  expect(text).toMatch(/^delos_charts_volume_free_bytes [1-9]\d*$/m);
  expect((await ask('alice', '/metrics')).status).toBe(404);
});

test('its index is what helm makes of the same archives', async () => {
  const index = parse(await (await ask('rita', '/index.yaml')).text()) as { entries: { web: { digest: string }[] } };
  const folder = join(work, 'compared');
  await mkdir(folder);
  for (const version of ['1.0.0', '1.1.0']) {
    const archive = Buffer.from(await (await ask('rita', `/charts/web-${version}.tgz`)).arrayBuffer());
    await writeFile(join(folder, `web-${version}.tgz`), archive);
  }
  await expectOk(helm('alice', 'repo', 'index', folder));
  const own = parse(await readFile(join(folder, 'index.yaml'), 'utf8')) as typeof index;
  expect(index.entries.web.map(({ digest }) => digest)).toEqual(own.entries.web.map(({ digest }) => digest));
});

test('charts lie in the registry as OCI artefacts too: helm pushes for a writer, pulls for a reader, and a reader may not push', async () => {
  await chart('oci', '1.0.0');
  const archive = join(work, `made-${nth}`, 'oci-1.0.0.tgz');
  const login = async (user: string) =>
    expectOk(
      helm(
        ...([user, 'registry', 'login', platform.host, '--plain-http', '--username', user] as const),
        ...['--password', await platform.issuer.token(user)],
      ),
    );
  for (const user of ['alice', 'rita']) await login(user);
  const repository = `oci://${platform.host}/acme/one`;
  await expectOk(helm('alice', 'push', archive, repository, '--plain-http'));
  await expectOk(helm('rita', 'pull', `${repository}/oci`, '--version', '1.0.0', '--plain-http'));
  expect((await readFile(join(work, 'home-rita/oci-1.0.0.tgz'))).equals(await readFile(archive))).toBe(true);
  expect((await helm('rita', 'push', archive, repository, '--plain-http')).code).not.toBe(0);
});
