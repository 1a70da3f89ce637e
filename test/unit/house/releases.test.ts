import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CATALOGUE } from '@delos/artifacts';
import { RELEASE } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ROOT } from '../../support/house/rooms.ts';
import { releaseCheckout, requireCommit } from '../../support/releases/checkout.ts';
import { RELEASES, releaseOf, UPGRADES_FROM } from '../../support/releases/releases.ts';

const MIGRATIONS = join(ROOT, 'runtime/service/src/db/migrations');

const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
const versionIn = (manifest: string): string => z.object({ version: z.string() }).parse(JSON.parse(manifest)).version;

/** Positive: `a` is later than `b`. */
function later(a: string, b: string): number {
  const [ours, theirs] = [a, b].map((version) => version.split('.').map(Number));
  const steps = (ours ?? []).map((part, index) => part - (theirs?.[index] ?? 0));
  return steps.find((step) => step !== 0) ?? 0;
}

test('releases are listed from the newest to the oldest, each version and each commit once', () => {
  const versions = RELEASES.map(({ version }) => version);
  expect(versions).toEqual(versions.toSorted((a, b) => later(b, a)));
  expect(new Set(versions).size).toBe(RELEASES.length);
  expect(new Set(RELEASES.map(({ commit }) => commit)).size).toBe(RELEASES.length);
});

test('no release is later than the version that the packages have', () => {
  const current = versionIn(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(RELEASES.filter(({ version }) => later(version, current) > 0)).toEqual([]);
});

test('the command, the packages and the services’ image are of one version', () => {
  expect(versionIn(readFileSync(join(ROOT, 'package.json'), 'utf8'))).toBe(RELEASE);
  expect(CATALOGUE.find(({ name }) => name === 'runtime')?.version).toBe(RELEASE);
});

test('what an upgrade takes over was given out before, the latest first', () => {
  const versions = RELEASES.map(({ version }) => version);
  expect(UPGRADES_FROM).toEqual(versions.filter((version) => UPGRADES_FROM.includes(version)));
  expect(UPGRADES_FROM.filter((version) => later(version, RELEASE) >= 0)).toEqual([]);
});

describe.each(RELEASES)('$version', (release) => {
  const { version, commit } = release;

  test('has its commit in the history, and its packages have that version', async () => {
    await requireCommit(ROOT, release);
    expect(versionIn(git('show', `${commit}:package.json`))).toBe(version);
  });

  test('made tables by migrations that are here still, byte for byte: a database that has them takes no others', () => {
    const files = git('ls-tree', '-r', '--name-only', commit)
      .split('\n')
      .filter((file) => /\/db\/migrations\/\d{4}_.*\.sql$/.test(file));
    expect(files.length).toBeGreaterThan(0);
    const now = readdirSync(MIGRATIONS).sort();
    const then = files.map((file) => basename(file)).sort();
    expect(now.slice(0, then.length)).toEqual(then);
    const changed = files.filter(
      (file) => git('show', `${commit}:${file}`) !== readFileSync(join(MIGRATIONS, basename(file)), 'utf8'),
    );
    expect(changed).toEqual([]);
  });
});

describe('a release is not made', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delos-clone-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('from a clone of the last commits alone, which is told what to do', async () => {
    const clone = join(folder, 'shallow');
    git('clone', '--quiet', '--depth', '1', '--no-checkout', `file://${ROOT}`, clone);
    const [release = releaseOf('none')] = RELEASES;
    const expected = `release ${release.version} is commit ${release.commit}, and this clone has the last commits alone: run \`git fetch --unshallow\``;
    await expect(releaseCheckout(release, { clone, cache: join(folder, 'cache') })).rejects.toThrow(expected);
  });

  test('of a commit that is not in the history', async () => {
    const release = { version: '0.0.1', commit: '1'.repeat(40) };
    await expect(releaseCheckout(release, { cache: join(folder, 'cache') })).rejects.toThrow(
      `release 0.0.1 is commit ${release.commit}, which is not in the history of this branch: look at docs/releases.yaml`,
    );
  });

  test('of a version that is not listed', () => {
    expect(() => releaseOf('9.9.9')).toThrow('docs/releases.yaml has no 9.9.9, only ');
  });
});
