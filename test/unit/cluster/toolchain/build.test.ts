import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GoBuild, TOOLS } from '@delos/artifacts';
import { createToolchain } from '@delos/cluster';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { estimate, moduleHash } from '../../../../cluster/src/toolchain/build.ts';

const MODULES = join(import.meta.dirname, '../../../../artifacts/go');

describe('the estimate of a build', () => {
  const build = { module: 'm', package: './p', cold: { seconds: 400, diskBytes: 4e9, memoryBytes: 2e9 } };

  test('law: fewer packages to compile or more cores never make it longer', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(2000), fc.integer({ min: 1, max: 64 }), (one, other, cores) => {
        const [less, more] = one < other ? [one, other] : [other, one];
        const small = estimate(build, { stale: less, all: 2000 }, cores);
        const large = estimate(build, { stale: more, all: 2000 }, cores);
        const wider = estimate(build, { stale: more, all: 2000 }, cores + 1);
        return small.seconds <= large.seconds && small.diskBytes <= large.diskBytes && wider.seconds <= large.seconds;
      }),
    );
  });

  test('is the measured one for an empty cache on two cores, and keeps the link for a full one', () => {
    expect(estimate(build, { stale: 2000, all: 2000 }, 2).seconds).toBe(400);
    expect(estimate(build, { stale: 0, all: 2000 }, 2).seconds).toBe(50);
  });
});

describe('what decides a build', () => {
  test('tags, and files that are put into a module, are another build', async () => {
    const { build } = TOOLS.pause;
    if (build === undefined) throw new Error('pause is built');
    const keyOf = (more: Partial<GoBuild>): Promise<string> =>
      createToolchain({
        cache: folder,
        modules: MODULES,
        tools: { pause: { ...TOOLS.pause, build: { ...build, ...more } } },
      }).key('pause');
    const lacking = (text: string) => ({ lacking: { module: 'example.com/m', files: { 'ui/index.html': text } } });
    const keys = await Promise.all([{}, { tags: ['a'] }, { tags: ['b'] }, lacking('one'), lacking('other')].map(keyOf));
    expect(new Set(keys).size).toBe(5);
    // What other builds have not leaves their keys as they were: nothing is built again.
    expect(await keyOf({ cold: { seconds: 1, diskBytes: 1, memoryBytes: 1 } })).toBe(keys[0]);
  });

  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delos-module-'));
    await cp(join(MODULES, 'node'), folder, { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('a changed source, go.mod or go.sum is another build; tests and other commands are not', async () => {
    const before = await moduleHash(folder, './cmd/pause');
    await writeFile(join(folder, 'cmd/pause/main_test.go'), 'package main\n');
    await cp(join(folder, 'cmd/pause'), join(folder, 'cmd/other'), { recursive: true });
    await writeFile(join(folder, 'README.md'), 'text\n');
    expect(await moduleHash(folder, './cmd/pause')).toBe(before);
    await writeFile(join(folder, 'go.sum'), 'x v1.0.0 h1:0\n');
    const sums = await moduleHash(folder, './cmd/pause');
    expect(sums).not.toBe(before);
    await writeFile(join(folder, 'cmd/pause/more.go'), 'package main\n');
    expect(await moduleHash(folder, './cmd/pause')).not.toBe(sums);
  });

  test('every built tool has its own module with pinned sums', async () => {
    const { readFile } = await import('node:fs/promises');
    for (const { build, name } of Object.values(TOOLS)) {
      if (build === undefined) continue;
      const module = await readFile(join(MODULES, build.module, 'go.mod'), 'utf8');
      expect(module, name).toMatch(/^go 1\.\d+/m);
      // A replacement by a folder would be a source that no checksum pins.
      expect(module, name).not.toMatch(/=>\s*\.{0,2}\//);
      if (build.package.startsWith('./') || !/^require/m.test(module)) continue;
      expect(await readFile(join(MODULES, build.module, 'go.sum'), 'utf8'), name).toMatch(/h1:/);
    }
  });
});
