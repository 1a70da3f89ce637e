import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UPLOADERS } from '@delos/artifacts';
import { platformConfig } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CommandResult, execute } from '../../../peers/src/command.ts';
import { pythonClient } from '../../../peers/src/python-client.ts';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { openRaw } from '../../support/edge/raw-connection.ts';
import { type ApiOnPostgres, startApiOnPostgres, TEST_CONFIG } from '../../support/service/control-api.ts';
import { smallVolume, type TestDevpi, testDevpi } from '../../support/service/devpi.ts';
import { makeWheel } from '../../support/service/wheel.ts';
import { until } from '../../support/until.ts';

/*
 * The image's DevPI behind the gateway's own Caddyfile, with the real control API. In project acme/one alice is a writer and
 * rita a reader; bob is in another project.
 */

const MIB = 2 ** 20;
const INDEX = '/pypi/acme/one/';

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
let devpi: TestDevpi;
let gateway: TestGateway;
let work: string;
let tools: string;

beforeAll(async () => {
  served = await startApiOnPostgres();
  devpi = await testDevpi(served.api.url);
  tools = await pythonClient([UPLOADERS.twine, UPLOADERS.devpi]);
  work = await mkdtemp(join(tmpdir(), 'delos-devpi-test-'));
  const port = Number(new URL(served.api.url).port);
  gateway = await startGateway(
    { api: port, identity: port },
    { 'devpi.delos.svc.cluster.local:3141': `127.0.0.1:${devpi.port}` },
  );
  await devpi.up();
});
afterAll(async () => {
  await gateway?.stop();
  await devpi?.stop();
  await served?.stop();
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

const origin = (): string => `http://127.0.0.1:${gateway.ports.http}`;
const tokenOf = (user: string): Promise<string> => served.issuer.token(user);
const wheel = (name: string, version: string, bytes?: number) => makeWheel(devpi.python, work, name, version, bytes);
const basic = (user: string, token: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`,
});

async function ask(user: string, path: string, init: RequestInit = {}, token?: string): Promise<Response> {
  const headers = { ...basic(user, token ?? (await tokenOf(user))), ...init.headers };
  return fetch(`${origin()}${path}`, { redirect: 'manual', ...init, headers });
}

async function form(path: string): Promise<FormData> {
  const [name = '', version = ''] = (path.split('/').at(-1) ?? '').split('-');
  const fields = new FormData();
  for (const [key, value] of Object.entries({ ':action': 'file_upload', name, version, filetype: 'bdist_wheel' })) {
    fields.set(key, value);
  }
  fields.set('content', new Blob([await readFile(path)]), path.split('/').at(-1));
  return fields;
}
const upload = async (user: string, path: string, to = INDEX): Promise<Response> =>
  ask(user, to, { method: 'POST', body: await form(path) });

const twine = async (user: string, path: string): Promise<CommandResult> =>
  execute(
    [
      ...[join(tools, 'bin/twine'), 'upload', '--disable-progress-bar', '--non-interactive'],
      ...['--repository-url', `${origin()}${INDEX}`, '--username', user, path],
    ],
    { env: { PATH: '/usr/bin:/bin', HOME: work, TWINE_PASSWORD: await tokenOf(user) } },
  );
const pip = async (user: string, target: string, what: string): Promise<CommandResult> => {
  const index = `http://${user}:${await tokenOf(user)}@127.0.0.1:${gateway.ports.http}${INDEX}+simple/`;
  const flags = ['--quiet', '--no-deps', '--no-cache-dir', '--isolated', '--index-url', index];
  return execute([join(tools, 'bin/pip'), 'install', ...flags, '--target', join(work, target), what], {
    env: { PATH: '/usr/bin:/bin', HOME: work },
  });
};

test('what a writer uploads by twine, a reader installs by pip', async () => {
  const { path } = await wheel('demo', '1.0');
  expect(await twine('alice', path)).toMatchObject({ code: 0 });
  expect(await pip('rita', 'site', 'demo')).toMatchObject({ code: 0 });
  expect(await readFile(join(work, 'site/demo.py'), 'utf8')).toBe("VALUE = '1.0'\n");
  expect(await twine('rita', path)).toMatchObject({ code: 1, stdout: expect.stringContaining('403') });
  expect(await pip('bob', 'none', 'demo')).toMatchObject({ code: 1 });
});

test('DevPI’s own client logs in by the name of a user and a token, uploads, lists and removes', async () => {
  const { path } = await wheel('second', '2.0');
  const client = (...args: readonly string[]): Promise<CommandResult> =>
    execute([join(tools, 'bin/devpi'), ...args], {
      cwd: work,
      env: { PATH: '/usr/bin:/bin', HOME: work, DEVPI_CLIENTDIR: join(work, 'devpi'), COLUMNS: '200' },
    });
  expect(await client('use', `${origin()}/pypi`)).toMatchObject({ code: 0 });
  expect((await client('login', 'alice', '--password', 'no-token')).code).not.toBe(0);
  expect(await client('login', 'alice', '--password', await tokenOf('alice'))).toMatchObject({ code: 0 });
  expect(await client('use', 'acme/one')).toMatchObject({ code: 0 });
  expect(await client('upload', path)).toMatchObject({ code: 0 });
  expect((await client('list')).stdout).toMatch(/second/);
  expect(await client('remove', '-y', '--force', 'second==2.0')).toMatchObject({ code: 0 });
  expect((await client('list')).stdout).not.toMatch(/second/);
});

describe('who may do what', () => {
  test.each([
    ['alice', 'GET', 200],
    ['rita', 'GET', 200],
    ['bob', 'GET', 404],
    ['noel', 'GET', 404],
    ['admin', 'GET', 200],
    ['rita', 'POST', 403],
    ['bob', 'POST', 404],
    ['rita', 'DELETE', 403],
  ])('%s: %s is answered %d', async (user, method, status) => {
    const { path } = await wheel('foreign', '1.0');
    const answer =
      method === 'POST'
        ? await upload(user, path)
        : await ask(user, method === 'GET' ? `${INDEX}+simple/` : `${INDEX}demo/1.0`, { method });
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringMatching(/\S/)]);
  });

  test.each([
    ['nobody', {}],
    ['a token that is none', basic('alice', 'x.y.z')],
    ['a header that is none', { authorization: 'Basic %%%' }],
    ['another scheme', { authorization: 'Bearer x' }],
  ])('%s is asked to log in', async (_who, headers) => {
    for (const path of ['+simple/', '+simple/demo/', '', '+api', '+f/466/x/demo-1.0-py3-none-any.whl']) {
      const answer = await fetch(`${origin()}${INDEX}${path}`, { headers });
      expect([path, answer.status]).toEqual([path, 401]);
      expect(answer.headers.get('www-authenticate')).toBe('Basic realm="pypi"');
    }
  });

  test('somebody else’s token is refused, the administrator’s too', async () => {
    for (const owner of ['rita', 'admin']) {
      expect((await ask('alice', `${INDEX}+simple/`, {}, await tokenOf(owner))).status).toBe(401);
    }
  });

  test('files are as closed as the index that has them', async () => {
    const page = await (await ask('rita', `${INDEX}+simple/demo/`)).text();
    const file = new URL(/href="([^"]+)"/.exec(page)?.[1] ?? '', `http://x${INDEX}+simple/demo/`).pathname;
    expect((await ask('rita', file)).status).toBe(200);
    expect((await ask('bob', file)).status).toBe(404);
    expect((await ask('bob', file.replace('acme/one', 'other/hidden'))).status).toBe(404);
  });

  test('an index is there once its project is, for who may read it, and for no other name', async () => {
    const together = await Promise.all(Array.from({ length: 20 }, () => ask('bob', '/pypi/other/hidden/+simple/')));
    expect(new Set(together.map(({ status }) => status))).toEqual(new Set([200]));
    for (const path of ['/pypi/other/new/', '/pypi/acme/', '/pypi/root/pypi/', '/pypi/nowhere/one/']) {
      expect([path, (await ask('admin', path)).status]).toEqual([path, 404]);
    }
  });
});

describe('DevPI’s other ways are closed', () => {
  test.each([
    ['GET', '/pypi/'],
    ['GET', '/pypi/acme'],
    ['GET', '/pypi/+status'],
    ['GET', '/pypi/+authcheck'],
    ['GET', '/pypi/%2e%2e/+status'],
    ['GET', '/pypi//+status'],
    ['PUT', '/pypi/alice'],
    ['PATCH', '/pypi/root'],
  ])('%s %s is not found', async (method, path) => {
    expect((await ask('admin', path, { method, ...(method === 'GET' ? {} : { body: '{}' }) })).status).toBe(404);
  });

  test.each([
    ['PUT', '', 'application/json'],
    ['PATCH', '', 'application/json'],
    ['DELETE', '', 'application/json'],
    ['PUSH', '', 'application/json'],
    ['POST', '', 'application/json'],
    ['POST', '+f/466/b0f882033e3ad/demo-1.0-py3-none-any.whl', 'application/json'],
  ])('%s of the index’s %j is refused to a writer', async (method, below, type) => {
    const body = JSON.stringify({ acl_upload: [':ANONYMOUS:'] });
    const answer = await ask('alice', INDEX + below, { method, body, headers: { 'content-type': type } });
    expect(answer.status).toBe(405);
  });

  test('a writer of one index cannot push into another by a form that is none', async () => {
    const body = JSON.stringify({ name: 'demo', version: '1.0', targetindex: 'other/hidden' });
    const headers = { 'content-type': 'multipart/form-data; boundary=x' };
    expect((await ask('alice', INDEX, { method: 'POST', body, headers })).status).toBeGreaterThanOrEqual(400);
    expect(await (await ask('bob', '/pypi/other/hidden/+simple/')).text()).not.toContain('demo');
  });
});

describe('links and redirects', () => {
  test('carry the name and scheme by which the client came', async () => {
    const headers = { ...basic('rita', await tokenOf('rita')), host: 'ai.example.com', 'x-outside-url': 'http://evil' };
    const location = await new Promise<string | undefined>((resolve, reject) => {
      const agent = new Agent({ rejectUnauthorized: false });
      const url = `https://127.0.0.1:${gateway.ports.https}${INDEX}+simple/demo`;
      request(url, { headers, agent }, (answer) => resolve(answer.resume().headers.location))
        .on('error', reject)
        .end();
    });
    expect(location).toBe('https://ai.example.com/pypi/acme/one/+simple/demo/');
  });

  test('lead to the file from a page of an index', async () => {
    const page = await ask('rita', `${INDEX}+simple/demo/`, { headers: { accept: 'text/html' } });
    expect(await page.text()).toMatch(/href="\.\.\/\.\.\/\+f\/[^"]+#sha256=[0-9a-f]{64}"/);
  });
});

describe('bounds', () => {
  test('a larger upload is one clear error, by DevPI and by the gateway', async () => {
    const body = new FormData();
    body.set('content', new Blob([new Uint8Array(64 * MIB)]), 'demo-9.0-py3-none-any.whl');
    const answer = await ask('alice', INDEX, { method: 'POST', body });
    expect([answer.status, await answer.json()]).toEqual([413, { message: 'the upload is larger than 64 MiB' }]);
    const { socket, received } = await openRaw(gateway.ports.http);
    socket.write(`POST ${INDEX} HTTP/1.1\r\nHost: x\r\nContent-Length: ${513 * MIB}\r\n\r\n`);
    socket.write(Buffer.alloc(MIB));
    await until('the gateway answers', 10, () => (/larger than 512 MiB/.test(received()) ? true : undefined));
    expect(received()).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
  });

  test('a large upload of somebody without a token is refused with an answer', async () => {
    const answer = await ask('alice', INDEX, { method: 'POST', body: new Uint8Array(20 * MIB) }, 'none');
    expect(answer.status).toBe(401);
  });

  test('a full volume is an error in words, and what is there stays whole', async () => {
    const folder = join(work, 'volume');
    await mkdir(folder);
    const unmount = await smallVolume(folder, 48);
    const small = await testDevpi(served.api.url, { data: folder });
    try {
      await small.up();
      const url = `http://127.0.0.1:${small.port}${INDEX}`;
      const headers = basic('alice', await tokenOf('alice'));
      const post = async (path: string): Promise<Response> =>
        fetch(url, { method: 'POST', headers, body: await form(path) });
      const free = async (): Promise<number> => {
        const text = await (await fetch(`http://127.0.0.1:${small.internalPort}/metrics`)).text();
        const of = (name: string): number =>
          Number(new RegExp(`^delos_devpi_volume_${name} (\\d+)$`, 'm').exec(text)?.[1]);
        expect(of('bytes')).toBe(48 * MIB);
        expect(of('free_files')).toBeLessThanOrEqual(of('files'));
        return of('free_bytes');
      };
      const before = await free();
      expect((await post((await wheel('fits', '1.0', MIB)).path)).status).toBe(200);
      expect(before - (await free())).toBeGreaterThanOrEqual(MIB);
      const full = await post((await wheel('large', '1.0', 20 * MIB)).path);
      expect([full.status, await full.json()]).toEqual([
        507,
        { message: expect.stringMatching(/^the volume of DevPI is full: nothing was stored/) },
      ]);
      await small.kill();
      await small.up();
      const names = await (await fetch(`${url}+simple/`, { headers })).text();
      expect([names.includes('fits'), names.includes('large')]).toEqual([true, false]);
      expect((await post((await wheel('fits', '1.1', MIB)).path)).status).toBe(200);
    } finally {
      await small.stop();
      await unmount();
    }
  });
});

describe('killed at any instant', () => {
  test('the first start is begun again, until it is whole', async () => {
    const fresh = await testDevpi(served.api.url);
    try {
      for (const wait of [100, 250, 400, 550, 700, 900]) {
        const preparing = fresh.program('prepare');
        await sleep(wait);
        preparing.child.kill('SIGKILL');
        await preparing.end;
      }
      await fresh.up();
      const headers = basic('rita', await tokenOf('rita'));
      const answer = await fetch(`http://127.0.0.1:${fresh.port}${INDEX}+simple/`, { headers });
      expect(answer.status).toBe(200);
      expect(await readdir(fresh.data)).toEqual(['server']);
    } finally {
      await fresh.stop();
    }
  });

  test('an upload is there whole or not at all, and leaves nothing behind', async () => {
    const stored = new Map<string, string>();
    for (let round = 0; round < 3; round += 1) {
      const { file, path } = await wheel('killed', `1.${round}`, 8 * MIB);
      stored.set(
        file,
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      );
      const sent = upload('alice', path).catch(() => undefined);
      await sleep(20 + 60 * round);
      await devpi.kill();
      await devpi.up();
      await sent;
    }
    const page = await (await ask('rita', `${INDEX}+simple/killed/`)).text();
    for (const [, link = '', hash = ''] of page.matchAll(/href="([^"#]+)#sha256=([0-9a-f]+)"/g)) {
      const url = new URL(link, `http://x${INDEX}+simple/killed/`).pathname;
      const content = Buffer.from(await (await ask('rita', url)).arrayBuffer());
      expect(createHash('sha256').update(content).digest('hex')).toBe(hash);
      expect(stored.get(url.split('/').at(-1) ?? '')).toBe(hash);
    }
    const files = await readdir(join(devpi.data, 'server'), { recursive: true });
    expect(files.filter((name) => name.endsWith('-tmp'))).toEqual([]);
    const again = await wheel('killed', '2.0', MIB);
    expect((await upload('alice', again.path)).status).toBe(200);
  });

  test('told to end, it ends by itself', async () => {
    expect(await devpi.end()).toBe(0);
    await devpi.up();
  });
});

test('after a restart no index is made again, and no token is in the log', async () => {
  await ask('alice', `${INDEX}+simple/`);
  expect(devpi.logged()).not.toMatch(/(made|created|modified) index/);
  expect(devpi.logged()).toContain('/pypi/acme/one/+simple/');
  expect(devpi.logged()).not.toMatch(/eyJ/);
});

test('who is removed is out after ten seconds, and nothing is allowed while the control API is away', async () => {
  expect((await ask('rita', `${INDEX}+simple/`)).status).toBe(200);
  const config = platformConfig.parse({
    ...TEST_CONFIG,
    users: TEST_CONFIG.users.filter(({ name }) => name !== 'rita'),
    organizations: [{ name: 'acme', projects: [{ name: 'one', members: [{ user: 'alice' }] }] }],
  });
  await served.database.tx((tx) => applyConfig(tx, config, 'default'));
  const before = performance.now();
  await until('rita is out', 15, async () =>
    (await ask('rita', `${INDEX}+simple/`)).status === 401 ? true : undefined,
  );
  expect(performance.now() - before).toBeLessThan(12_000);
  await served.api.stop();
  expect((await ask('bob', `${INDEX}+simple/`)).status).toBe(503);
});
