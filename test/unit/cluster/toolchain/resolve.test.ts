import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOOLS, type ToolSpec } from '@delos/artifacts';
import { instancePaths, silent } from '@delos/core';
import { run } from '@delos/host';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createToolchain } from '../../../../cluster/src/toolchain/index.ts';

/*
 * A toolchain over a cache of its own, whose tools are tiny: a Go program without imports, and shell scripts that a
 * server on loopback publishes. Go's own cache is this user's, so that the standard runtime is compiled once.
 */

const HELLO = 'package main\n\nfunc main() { println("hello") }\n';
const progress = { ...silent, warnings: [] as string[] };
let folder = '';
let cache = '';
let server: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-tools-'));
  cache = join(folder, 'cache');
  const users = instancePaths('delos', process.env).cache;
  await mkdir(join(users, 'go'), { recursive: true });
  await mkdir(cache);
  await symlink(join(users, 'go'), join(cache, 'go'));
  await mkdir(join(folder, 'modules/tiny'), { recursive: true });
  await writeFile(join(folder, 'modules/tiny/go.mod'), 'module delos.dev/tiny\n\ngo 1.26.0\n');
  await writeFile(join(folder, 'modules/tiny/main.go'), HELLO);
});
afterEach(async () => {
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

const built: ToolSpec = {
  name: 'pause',
  version: '1.2.3',
  build: { module: 'tiny', package: '.', cold: { seconds: 5, diskBytes: 1e6, memoryBytes: 1e6 } },
};

function toolsOf(spec: ToolSpec, env: Readonly<Record<string, string | undefined>> = process.env) {
  const warnings: string[] = [];
  const steps: string[] = [];
  const { resolve } = createToolchain({
    cache,
    env,
    modules: join(folder, 'modules'),
    tools: { go: TOOLS.go, [spec.name]: spec },
  });
  const watched = {
    ...progress,
    warn: (text: string) => warnings.push(text),
    step: (text: string) => steps.push(text),
  };
  return { resolve: () => resolve(spec.name, watched), warnings, steps };
}

/** A command of this name on a PATH of its own, ahead of the usual one. */
async function onPath(name: string, text: string): Promise<Readonly<Record<string, string | undefined>>> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, name), text);
  await chmod(join(bin, name), 0o755);
  return { ...process.env, PATH: `${bin}:${process.env.PATH ?? ''}` };
}

describe('a tool that is built', () => {
  test('is built once, then taken from the cache', async () => {
    const first = await toolsOf(built).resolve();
    expect(first).toMatchObject({ name: 'pause', version: '1.2.3', from: 'build' });
    expect((await run(first.path, [])).stderr).toBe('hello');
    const second = await toolsOf(built).resolve();
    expect(second).toEqual({ ...first, from: 'cache' });
  });

  test('is built anew when its source changes, and the old one stays', async () => {
    const first = await toolsOf(built).resolve();
    await writeFile(join(folder, 'modules/tiny/main.go'), HELLO.replace('hello', 'other'));
    const second = await toolsOf(built).resolve();
    expect((await run(second.path, [])).stderr).toBe('other');
    expect((await run(first.path, [])).stderr).toBe('hello');
  });

  test.each([
    ['cut short', async (path: string) => writeFile(path, (await readFile(path)).subarray(0, 1000))],
    ['gone', (path: string) => rm(path)],
    ['not executable', (path: string) => chmod(path, 0o644)],
    [
      'changed at the same size',
      async (path: string) => {
        const bytes = await readFile(path);
        bytes.writeUInt8(bytes.readUInt8(4096) ^ 0xff, 4096);
        await writeFile(path, bytes);
      },
    ],
    ['without its manifest', (path: string) => rm(join(path, '../manifest.json'))],
    ['with half a manifest', (path: string) => writeFile(join(path, '../manifest.json'), '{"name": "pau')],
  ])('is made again, with a warning, when the one in the cache is %s', async (_how, damage) => {
    const first = await toolsOf(built).resolve();
    await damage(first.path);
    const again = toolsOf(built);
    expect(await again.resolve()).toEqual({ ...first, from: 'build' });
    expect(again.warnings).toEqual([expect.stringContaining('damaged')]);
    expect((await run(first.path, [])).stderr).toBe('hello');
  });

  test('a copy of the cache, with other file times, is as good', async () => {
    const first = await toolsOf(built).resolve();
    await utimes(first.path, new Date(0), new Date(0));
    const again = toolsOf(built);
    expect((await again.resolve()).from).toBe('cache');
    expect(again.warnings).toEqual([]);
  });

  test('two at once build once', async () => {
    const [one, other] = await Promise.all([toolsOf(built).resolve(), toolsOf(built).resolve()]);
    expect(one.path).toBe(other.path);
    expect([one.from, other.from].sort()).toEqual(['build', 'cache']);
  });

  test('what a killed build left is removed, and no half entry is ever seen', async () => {
    const left = join(cache, 'tools/pause/.new-1-1');
    await mkdir(left, { recursive: true });
    await writeFile(join(left, 'pause'), 'half');
    const { path } = await toolsOf(built).resolve();
    const entries = await readdir(join(cache, 'tools/pause'));
    expect(entries).toEqual([path.split('/').at(-2)]);
  });

  test('a source that does not compile is one error that says where', async () => {
    await writeFile(join(folder, 'modules/tiny/main.go'), 'package main\n\nfunc main() { missing() }\n');
    await expect(toolsOf(built).resolve()).rejects.toMatchObject({
      code: 'ERR_TOOL_UNAVAILABLE',
      message: expect.stringMatching(/main\.go:3:\d+: undefined: missing/),
    });
    await writeFile(join(folder, 'modules/tiny/main.go'), HELLO);
    expect((await toolsOf(built).resolve()).from).toBe('build');
  });

  test('says what it needs before it begins, and refuses a disk that is too small', async () => {
    const vast = {
      ...built,
      build: { module: 'tiny', package: '.', cold: { seconds: 5, diskBytes: 1e18, memoryBytes: 1 } },
    };
    await expect(toolsOf(vast).resolve()).rejects.toMatchObject({ code: 'ERR_DISK_SPACE' });
    const told = toolsOf(built);
    await told.resolve();
    expect(told.steps.find((step) => /GiB of disk.*GiB of memory/.test(step))).toBeDefined();
  });
});

describe('a tool on PATH', () => {
  const spec: ToolSpec = {
    ...built,
    onPath: { commands: [{ command: 'tiny', args: ['--version'], pattern: /tiny v(\S+)/ }] },
  };

  test('is taken when its version fits', async () => {
    const env = await onPath('tiny', '#!/bin/sh\necho tiny v1.9.0\n');
    expect(await toolsOf(spec, env).resolve()).toEqual({
      name: 'pause',
      version: '1.9.0',
      path: join(folder, 'bin/tiny'),
      from: 'path',
    });
  });

  test.each([
    ['is too old', '#!/bin/sh\necho tiny v1.2.2\n'],
    ['says no version', '#!/bin/sh\necho hello\n'],
    ['fails', '#!/bin/sh\necho tiny v1.9.0; exit 1\n'],
    ['does not start', '#!/no/such/shell\n'],
  ])('is left when it %s', async (_why, text) => {
    expect((await toolsOf(spec, await onPath('tiny', text)).resolve()).from).toBe('build');
  });

  test('is left when it needs a C library that its image has not', async () => {
    const scripted = { ...spec, onPath: { commands: spec.onPath?.commands ?? [], static: true } };
    const env = await onPath('tiny', '#!/bin/sh\necho tiny v1.9.0\n');
    expect((await toolsOf(scripted, env).resolve()).from).toBe('build');
  });

  test('several commands become one that dispatches by name and by first argument', async () => {
    await onPath('left', '#!/bin/sh\n[ "$1" = --version ] && echo v1.2.3 || echo "left $*"\n');
    const env = await onPath('right', '#!/bin/sh\n[ "$1" = --version ] && echo v1.2.4 || echo "right $*"\n');
    const probe = { args: ['--version'], pattern: /v(\S+)/ };
    const two = { ...built, onPath: { commands: ['left', 'right'].map((command) => ({ command, ...probe })) } };
    const { path, from } = await toolsOf(two, env).resolve();
    expect(from).toBe('path');
    expect((await run(path, ['left', 'a', 'b c'])).stdout).toBe('left a b c\n');
    await symlink(path, join(folder, 'right'));
    expect((await run(join(folder, 'right'), ['x'])).stdout).toBe('right x\n');
    expect((await run(path, ['neither'])).code).toBe(2);
    await rm(join(folder, 'bin/left'));
    expect((await toolsOf(two, env).resolve()).from).toBe('build');
  });
});

describe('an official release', () => {
  const script = '#!/bin/sh\necho released\n';

  /** Publishes `tiny.tar.gz` and a checksum that fits it. @param pin the digest that is pinned: undefined, none */
  async function publish(
    answers: { readonly pin?: (real: string) => string | undefined; readonly cut?: boolean } = {},
  ): Promise<ToolSpec> {
    await mkdir(join(folder, 'release/tiny-1'), { recursive: true });
    await writeFile(join(folder, 'release/tiny-1/tiny'), script);
    await run('tar', ['-czf', join(folder, 'tiny.tar.gz'), '-C', join(folder, 'release'), 'tiny-1']);
    const archive = await readFile(join(folder, 'tiny.tar.gz'));
    const digest = createHash('sha256').update(archive).digest('hex');
    server = createServer((request, response) => {
      if (request.url === '/SHA256SUMS') {
        response.end(`${'0'.repeat(64)}  other.tar.gz\n${digest}  tiny.tar.gz\n`);
      } else if (request.url === '/tiny.tar.gz') {
        response.writeHead(200, { 'content-length': archive.length });
        if (answers.cut === true && request.method === 'GET') {
          response.write(archive.subarray(0, 20));
          response.destroy();
        } else {
          response.end(archive);
        }
      } else {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const pin = (answers.pin ?? ((real) => real))(digest);
    const head = { url: `${base}/tiny.tar.gz`, checksums: `${base}/SHA256SUMS`, member: 'tiny-1/tiny' };
    const file = pin === undefined ? head : { ...head, sha256: pin };
    return { ...built, release: { files: [file] } };
  }

  test('is taken rather than built where it can be reached', async () => {
    const spec = await publish();
    const tool = await toolsOf(spec).resolve();
    expect(tool.from).toBe('release');
    expect((await run(tool.path, [])).stdout).toBe('released\n');
    expect((await toolsOf(spec).resolve()).from).toBe('cache');
  });

  test('that is not the pinned one is refused, never used and never worked around, whatever its publisher says', async () => {
    const spec = await publish({ pin: () => 'f'.repeat(64) });
    await expect(toolsOf(spec).resolve()).rejects.toMatchObject({
      code: 'ERR_TOOL_CHECKSUM',
      message: expect.stringContaining('(pinned)'),
    });
    expect(await readdir(join(cache, 'tools/pause'))).toEqual([]);
  });

  test('that nobody has pinned is not fetched: the tool is built', async () => {
    expect((await toolsOf(await publish({ pin: () => undefined })).resolve()).from).toBe('build');
  });

  test('whose connection breaks is built instead, with a warning', async () => {
    const tools = toolsOf(await publish({ cut: true }));
    expect((await tools.resolve()).from).toBe('build');
    expect(tools.warnings).toEqual([expect.stringContaining('did not come')]);
  });

  test('that cannot be reached is built without a word', async () => {
    const spec = await publish();
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    const tools = toolsOf(spec);
    expect((await tools.resolve()).from).toBe('build');
    expect(tools.warnings).toEqual([]);
  });

  test('and no build is one error with what to install', async () => {
    const spec = await publish();
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    const { build: _build, ...released } = spec;
    await expect(toolsOf(released).resolve()).rejects.toMatchObject({
      code: 'ERR_TOOL_UNAVAILABLE',
      hint: expect.stringContaining('on PATH'),
    });
  });
});

test('a build leaves the module folder as it was', async () => {
  const before = await readdir(join(folder, 'modules/tiny'));
  const { mtimeMs } = await stat(join(folder, 'modules/tiny'));
  await toolsOf(built).resolve();
  expect(await readdir(join(folder, 'modules/tiny'))).toEqual(before);
  expect((await stat(join(folder, 'modules/tiny'))).mtimeMs).toBe(mtimeMs);
});
