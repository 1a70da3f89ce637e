import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

const MAIN = join(import.meta.dirname, '../../../cli/src/main.ts');
let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'delos-synth-'));
  await writeFile(
    join(home, 'ours.yaml'),
    `services:
  postgres:
    external:
      host: 10.20.0.5
      databases:
        delos: {password: {file: /nowhere/password}}
        keycloak: {password: {secret: {name: ours, key: keycloak}}}
`,
  );
});
afterAll(() => rm(home, { recursive: true, force: true }));

function synth(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const argv = ['--disable-warning=ExperimentalWarning', MAIN, 'synth', ...args];
    const options = { env: { PATH: process.env.PATH, HOME: home }, cwd: home, maxBuffer: 2 ** 24 };
    execFile(process.execPath, argv, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
const manifest = z.looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) });
const documentsOf = (stdout: string) =>
  parseAllDocuments(stdout).map((document) => manifest.parse((document as { toJS(): unknown }).toJS()));

test('prints the same bytes twice, as YAML that kubectl reads', async () => {
  const [first, second] = [await synth('--profile', 'medium'), await synth('--profile', 'medium')];
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(second.stdout).toBe(first.stdout);
  const objects = documentsOf(first.stdout);
  expect(objects.length).toBeGreaterThan(50);
  expect(objects.map(({ kind }) => kind)).toContain('StatefulSet');
  expect((await synth()).stdout).not.toBe(first.stdout);
});

test('prints no secret, reads no file that holds one, and says where each comes from', async () => {
  const { code, stdout } = await synth('--config', 'ours.yaml');
  expect(code).toBe(0);
  expect(stdout).toContain('# value: read from /nowhere/password at deployment');
  expect(stdout).toContain('# token: password, made at deployment');
  for (const object of documentsOf(stdout).filter(({ kind }) => kind === 'Secret')) {
    expect(object).not.toHaveProperty('data');
    expect(object).not.toHaveProperty('stringData');
  }
});

test('prints one JSON document with --json, of the same objects', async () => {
  const text = await synth('--engine', 'existing');
  const { code, stdout } = await synth('--engine', 'existing', '--json');
  expect(code).toBe(0);
  expect(z.object({ objects: z.array(manifest) }).parse(JSON.parse(stdout)).objects).toEqual(documentsOf(text.stdout));
});

test('writes a folder, a file an object, and takes away what it wrote before and no other file', async () => {
  const folder = join(home, 'manifests');
  expect((await synth('--out', 'manifests')).code).toBe(0);
  await writeFile(join(folder, 'mine.yaml'), 'mine');
  const before = await readdir(folder);
  expect((await synth('--out', 'manifests', '--config', 'ours.yaml')).code).toBe(0);
  const after = await readdir(folder);
  expect(before.filter((name) => name.includes('statefulset-delos-postgres'))).toHaveLength(1);
  expect(after.filter((name) => name.includes('statefulset-delos-postgres'))).toEqual([]);
  expect(await readFile(join(folder, 'mine.yaml'), 'utf8')).toBe('mine');
});

test('ends without a word where its reader goes away', async () => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'synth'], {
    env: { PATH: process.env.PATH, HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'close');
  expect([code, Buffer.concat(said).toString()]).toEqual([141, '']);
});
