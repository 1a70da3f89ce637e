import { execFileSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { launchOf } from '../../../stacks/src/language-host/launch.ts';
import { answerForSdkVersion } from '../../../stacks/src/language-host/provider-version.ts';

const ROOT = join(import.meta.dirname, '../../..');
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-program-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(content)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** What a program prints, started as the language host starts it. */
function started(entry: string, options: Readonly<Record<string, unknown>> = {}): string {
  const { args, env } = launchOf(options);
  const main = `require(${JSON.stringify(join(folder, entry))})`;
  return execFileSync(process.execPath, [...args, '-e', main], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

const LIBRARY = {
  'lib/color.ts': "export enum Color { Red = 'red' }\nexport interface Paint { color: Color }\n",
  'lib/index.ts': "export * from './color';\n",
};

describe('a program of TypeScript', () => {
  test.each([
    ['a file without its extension', './lib/color'],
    ['a folder', './lib'],
    ['the name of the compiled file', './lib/color.js'],
  ])('imports types and enums of %s', async (_, specifier) => {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await files({
      ...LIBRARY,
      'package.json': '{}',
      'index.ts': `import { Color, Paint } from '${specifier}';\nconst p: Paint = { color: Color.Red };\nconsole.log(p.color, __dirname);\n`,
    });
    expect(started('index.ts')).toBe(`red ${folder}`);
    expect(started('.')).toBe(`red ${folder}`);
  });

  test('may be an ES module', async () => {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await files({
      ...LIBRARY,
      'package.json': '{"type":"module"}',
      'index.ts':
        "import { Color, Paint } from './lib/color';\nconst p: Paint = { color: Color.Red };\nconsole.log(p.color, import.meta.dirname);\n",
    });
    expect(started('index.ts')).toBe(`red ${folder}`);
  });

  test('with a mistake is told its file and line', async () => {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await files({ 'package.json': '{}', 'index.ts': 'const a = 1;\nconst b = ;\n' });
    expect(() => started('index.ts')).toThrow(`${join(folder, 'index.ts')}:2:11: Expression expected`);
  });

  test('without a compiler is Node’s own', async () => {
    await files({ 'package.json': '{}', 'index.ts': 'const a: string = "plain";\nconsole.log(a);\n' });
    expect(started('index.ts')).toBe('plain');
    expect(started('index.ts', { typescript: false })).toBe('plain');
  });
});

test('flags of Node in Pulumi.yaml are given to it; typescript: true is left to the SDK', () => {
  expect(launchOf({ nodeargs: '--trace-warnings --max-old-space-size=99' }).args.slice(-2)).toEqual([
    '--trace-warnings',
    '--max-old-space-size=99',
  ]);
  expect(launchOf({ typescript: true, tsconfig: 'a.json' }).env).toEqual({
    PULUMI_NODEJS_TYPESCRIPT: 'true',
    PULUMI_NODEJS_TSCONFIG_PATH: 'a.json',
  });
});

describe('our provider answers for the version of a program’s SDK', () => {
  const version = 'resource-kubernetes-v4.1.2';
  const own = 'resource-kubernetes-v0.1.0';
  const plugins = () => join(folder, 'pulumi/home/plugins');
  const answer = () => answerForSdkVersion(join(folder, 'program'), join(folder, 'pulumi/home'));

  beforeEach(async () => {
    vi.stubEnv('PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION', undefined);
    await files({
      'program/package.json': '{}',
      'program/node_modules/@pulumi/kubernetes/package.json': '{"name": "@pulumi/kubernetes", "version": "4.1.2"}',
      [`pulumi/home/plugins/${own}/pulumi-resource-kubernetes`]: '',
      'pulumi/provider-download': 'Error downloading plugin\n',
    });
  });

  test('where the official one could not be fetched: a folder with a link, since the engine passes over links to folders', async () => {
    await answer();
    await answer();
    expect((await lstat(join(plugins(), version))).isDirectory()).toBe(true);
    expect(await readlink(join(plugins(), version, 'pulumi-resource-kubernetes'))).toBe(
      `../${own}/pulumi-resource-kubernetes`,
    );
  });

  test.each([
    ['where it was downloaded', 'downloaded\n'],
    ['where nobody has tried to', ''],
  ])('not %s', async (_, outcome) => {
    await writeFile(join(folder, 'pulumi/provider-download'), outcome);
    await answer();
    expect(await readdir(plugins())).toEqual([own]);
  });

  test('not where the official one is, nor for a program that has no SDK', async () => {
    await files({ [`pulumi/home/plugins/${version}/pulumi-resource-kubernetes`]: 'official' });
    await answer();
    expect((await lstat(join(plugins(), version, 'pulumi-resource-kubernetes'))).isFile()).toBe(true);
    await rm(join(plugins(), version), { recursive: true });
    await rm(join(folder, 'program/node_modules'), { recursive: true });
    await answer();
    expect(await readdir(plugins())).toEqual([own]);
  });
});
