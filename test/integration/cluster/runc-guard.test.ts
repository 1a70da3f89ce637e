import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

let guard: string;
beforeAll(async () => {
  guard = (await resolveTool('runc-guard', silent)).path;
});

const allow = (names: readonly string[], args?: readonly unknown[]) => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args === undefined ? {} : { args }),
});
const only = (family: number) => allow(['socket'], [{ index: 0, value: family, op: 'SCMP_CMP_EQ' }]);
const FAMILIES = [1, 2, 10, 16, 17].map(only);

/** What runc would read after the guard, and the arguments that it would get. */
function guarded(linux: unknown, args: (bundle: string) => readonly string[]) {
  const bundle = temporaryFolder('bundle');
  const config = { process: { args: ['socket', 'socketcall'] }, big: '__BIG__', linux };
  // A number that no float holds.
  const text = JSON.stringify(config).replace('"__BIG__"', '18446744073709551615');
  writeFileSync(join(bundle, 'config.json'), text);
  writeFileSync(join(bundle, 'runc'), '#!/bin/sh\necho "$@"\nexit 0\n', { mode: 0o755 });
  const env = { PATH: `${bundle}:/usr/bin:/bin` };
  const said = execFileSync(guard, [...args(bundle)], { env, cwd: bundle })
    .toString()
    .trim();
  const after = readFileSync(join(bundle, 'config.json'), 'utf8');
  expect(after).toContain('18446744073709551615');
  const parsed = JSON.parse(after);
  expect(parsed.process).toEqual(config.process);
  return { said, linux: parsed.linux, unchanged: after === text };
}
const create = (bundle: string) => ['--root', '/r', 'create', '--bundle', bundle, '--pid-file', '/p', 'id'];

test.each([
  [
    'of containerd 1.6, which allows every family',
    [allow(['read', 'socket', 'socketcall', 'write'])],
    [allow(['read', 'write']), ...FAMILIES],
  ],
  [
    'of a later one, which allows all but AF_VSOCK',
    [allow(['read']), allow(['socket'], [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }])],
    [allow(['read']), ...FAMILIES],
  ],
  ['that allows no socket', [allow(['read'])], [allow(['read'])]],
  [
    'that forbids some',
    [{ names: ['socket'], action: 'SCMP_ACT_ERRNO' }],
    [{ names: ['socket'], action: 'SCMP_ACT_ERRNO' }],
  ],
])('a profile %s allows sockets by family', (_name, before, after) => {
  const seccomp = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: before };
  expect(guarded({ seccomp }, create).linux.seccomp).toEqual({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: after });
});

test.each([
  ['another word of a command line', (bundle: string) => ['run', `--bundle=${bundle}`, 'id']],
  ['none, where runc takes the working folder', () => ['create', 'id']],
])('the bundle is found by %s', (_name, args) => {
  const seccomp = { syscalls: [allow(['socket'])] };
  expect(guarded({ seccomp }, args).linux.seccomp.syscalls).toEqual(FAMILIES);
});

test('runc gets its arguments as they came', () => {
  const { said } = guarded({}, (bundle) => [...create(bundle), '--', 'a b']);
  expect(said).toMatch(/^--root \/r create --bundle \S+ --pid-file \/p id -- a b$/);
});

test('a container without a profile, and a command that makes none, are left as they are', () => {
  expect(guarded({}, create).unchanged).toBe(true);
  const seccomp = { syscalls: [allow(['socket'])] };
  expect(guarded({ seccomp }, (bundle) => ['exec', '--bundle', bundle, 'id']).unchanged).toBe(true);
});
