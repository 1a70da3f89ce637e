import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { ensureOsPackages, preflight, requireChecks } from '@delos/cluster';
import { instancePaths, platformConfig, silent } from '@delos/core';
import { beforeAll, expect, test } from 'vitest';
import { kernelChecks } from '../../../cluster/src/preflight/kernel.ts';
import { diskCheck } from '../../../cluster/src/preflight/machine.ts';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

const home = temporaryFolder('preflight');
const paths = instancePaths('mine', { HOME: home });
const check = (gateway: { httpPort: number; httpsPort: number }) =>
  preflight(platformConfig.parse({ cluster: { engine: 'embedded' }, gateway }), { paths, env: { HOME: home } });

/** What of the machine a preflight could have touched, apart from what other instances do meanwhile. */
function machine() {
  const run = (file: string, ...args: string[]) => execFileSync(file, args).toString();
  return {
    interfaces: run('ip', '-o', 'link').match(/delos0|delos1@/g),
    tables: run('nft', 'list', 'tables').match(/table inet delos$/m),
    // Other tests make network namespaces of names of their own.
    mounts: readFileSync('/proc/self/mounts', 'utf8').replaceAll(/^nsfs \/run\/netns\/delos-world-.*\n/gm, ''),
    home: readdirSync(home),
    forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  };
}

beforeAll(() => ensureOsPackages('node', silent), 10 * 60_000);

test('preflight changes nothing: no file, no interface, no table, no mount', async () => {
  const before = machine();
  await check({ httpPort: 0, httpsPort: 0 });
  expect(machine()).toEqual(before);
  expect(existsSync(paths.state)).toBe(false);
});

test('every check says what was measured, what is needed and what to do, under an id of its own', async () => {
  const checks = await check({ httpPort: 1, httpsPort: 2 });
  expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
  for (const { id, measured, needed, fix } of checks) {
    expect(id).toMatch(/^[a-z]+\.[a-z]+$/);
    for (const text of [measured, needed, fix]) expect(text).not.toBe('');
  }
  expect(checks.map(({ id }) => id)).toEqual(
    expect.arrayContaining([
      'user.root',
      'memory.least',
      'disk.state',
      'disk.cache',
      'port.http',
      'port.https',
      'commands.node',
    ]),
  );
});

test('a taken port is fatal and names its holder; a free one is taken automatically and not looked at', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const checks = await check({ httpPort: port, httpsPort: 0 });
  server.close();
  expect(checks.find(({ id }) => id === 'port.https')).toBeUndefined();
  expect(checks.find(({ id }) => id === 'port.http')).toMatchObject({
    ok: false,
    fatal: true,
    code: 'ERR_PORT_TAKEN',
    measured: expect.stringContaining(`127.0.0.1:${port} is taken by process ${process.pid}`),
  });
});

test('a disk without enough space is fatal, measured where the folder will be', () => {
  expect(diskCheck('disk.state', join(home, 'not/there/yet'), 2 ** 60)).toMatchObject({
    ok: false,
    fatal: true,
    code: 'ERR_DISK_SPACE',
    fix: expect.stringContaining('XDG_STATE_HOME'),
  });
  expect(diskCheck('disk.state', join(home, 'not/there/yet'), 1).ok).toBe(true);
});

test('what only a package that `up` installs can try is tried after its installation, and stops nobody before', async () => {
  const before = await kernelChecks(['nftables', 'containerd']);
  expect(before.find(({ id }) => id === 'kernel.nftables')).toMatchObject({ ok: false, fatal: false });
  expect(() => requireChecks(before)).not.toThrow();
  const after = await kernelChecks();
  expect(after.find(({ id }) => id === 'kernel.nftables')).toMatchObject({ ok: true, measured: 'works' });
});

test.each([
  ['overlay', true],
  ['loop', false],
])('a machine without %s is told so; whether it stops `up`: %s', async (missing, fatal) => {
  const names = ['namespaces', 'veth', 'nftables', 'overlay', 'loop'];
  const tried = new Map(names.map((name) => [name, name === missing ? 'operation not permitted' : 'ok']));
  const checks = await kernelChecks([], tried);
  expect(checks.filter(({ ok }) => !ok)).toMatchObject([
    { id: `kernel.${missing}`, fatal, measured: 'operation not permitted', fix: expect.stringContaining('modprobe') },
  ]);
});
