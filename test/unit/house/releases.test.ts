import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { ROOT } from '../../support/house/rooms.ts';

const release = z.strictObject({
  version: z.string().regex(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
});
const { releases } = z
  .strictObject({ releases: z.array(release).min(1) })
  .parse(parse(readFileSync(join(ROOT, 'docs/releases.yaml'), 'utf8')));

const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
const versionIn = (manifest: string): string => z.object({ version: z.string() }).parse(JSON.parse(manifest)).version;

/** A clone of the last few commits cannot show older ones. */
const shallow = git('rev-parse', '--is-shallow-repository') === 'true';

/** Positive: `a` is later than `b`. */
function later(a: string, b: string): number {
  const [ours, theirs] = [a, b].map((version) => version.split('.').map(Number));
  const steps = (ours ?? []).map((part, index) => part - (theirs?.[index] ?? 0));
  return steps.find((step) => step !== 0) ?? 0;
}

test('releases are listed from the newest to the oldest, each version and each commit once', () => {
  const versions = releases.map(({ version }) => version);
  expect(versions).toEqual(versions.toSorted((a, b) => later(b, a)));
  expect(new Set(versions).size).toBe(releases.length);
  expect(new Set(releases.map(({ commit }) => commit)).size).toBe(releases.length);
});

test('no release is later than the version that the packages have', () => {
  const current = versionIn(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(releases.filter(({ version }) => later(version, current) > 0)).toEqual([]);
});

describe.each(releases)('$version', ({ version, commit }) => {
  test.skipIf(shallow)('its commit is in the history, and its packages have that version (needs a whole clone)', () => {
    expect(() => git('merge-base', '--is-ancestor', commit, 'HEAD')).not.toThrow();
    expect(versionIn(git('show', `${commit}:package.json`))).toBe(version);
  });
});
