import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { prepareMachine } from '../../../cluster/src/images/machine.ts';

const IMAGES = join(import.meta.dirname, '../../../artifacts/images');
const INDEX = "https://me:it's$(secret)@packages.example/simple";

let home: string;
let machine: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'delos-machine-'));
  machine = join(home, 'machine');
  await mkdir(join(home, '.config/pip'), { recursive: true });
  await writeFile(join(home, '.config/pip/pip.conf'), '[global]\nretries = 7\n');
  await writeFile(join(home, '.netrc'), 'machine packages.example login me password x\n');
  for (const name of ['PIP_CONFIG_FILE', 'XDG_CONFIG_HOME', 'NETRC']) vi.stubEnv(name, undefined);
  vi.stubEnv('HOME', home);
  vi.stubEnv('PIP_INDEX_URL', INDEX);
  vi.stubEnv('https_proxy', 'http://proxy.example:3128');
  vi.stubEnv('PIP_TARGET', '/elsewhere');
  await prepareMachine(machine, IMAGES, undefined);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true, force: true });
});

test('a build borrows the settings of pip that say where packages come from, and no others', async () => {
  const names = ['PIP_INDEX_URL', 'https_proxy', 'PIP_TARGET'];
  const script = `. ${join(machine, 'pip/env')}\n${names.map((name) => `printf '%s\\n' "$${name}"`).join('\n')}`;
  const shown = execFileSync('/bin/sh', ['-c', script], { env: {}, encoding: 'utf8' });
  expect(shown.split('\n').slice(0, 3)).toEqual([INDEX, 'http://proxy.example:3128', '']);
  expect(await readFile(join(machine, 'pip/user.conf'), 'utf8')).toBe('[global]\nretries = 7\n');
  expect(await readdir(join(machine, 'pip'))).toContain('netrc');
});

test('nobody else on the machine reads them', async () => {
  expect((await stat(join(machine, 'pip'))).mode & 0o777).toBe(0o700);
});
