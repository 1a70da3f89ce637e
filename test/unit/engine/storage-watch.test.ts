import { type Files, look, matches, type WatchRule, type WatchState } from '@delos/engine';
import { describe, expect, test } from 'vitest';
import { runSeed, seeded } from '../../support/random.ts';

const RULE: WatchRule = { pattern: '**', on: ['made', 'changed'], quiet: 10_000 };
const NEVER: WatchState = { seen: undefined, last: undefined, since: 0 };
const files = (text: Readonly<Record<string, readonly [number, number]>>): Files => new Map(Object.entries(text));
const looked = (state: WatchState, now: number, found: Files, rule = RULE, clock = now) =>
  look(rule, state, { files: found, short: JSON.stringify([...found]), clock, now });

describe('files that are looked at', () => {
  test('make no bake of what was there before, and one once they have been quiet', () => {
    const old = files({ a: [1, 0] });
    const first = looked(NEVER, 100_000, old);
    expect([first.changes, first.soon]).toEqual([[], false]);
    const more = files({ a: [1, 0], b: [2, 101_000] });
    const second = looked(first.state, 120_000, more);
    expect([second.changes, second.soon, second.state.seen]).toEqual([[], true, old]);
    const growing = files({ a: [1, 0], b: [3, 125_000] });
    const third = looked(second.state, 131_000, growing);
    expect([third.changes, third.state.since]).toEqual([[], 131_000]);
    expect(looked(third.state, 140_000, growing).changes).toEqual([]);
    const fifth = looked(third.state, 141_000, growing);
    expect([fifth.changes, fifth.state.seen]).toEqual([[{ path: 'b', change: 'made' }], growing]);
    expect(looked(fifth.state, 161_000, growing).changes).toEqual([]);
  });

  test('are not told of before their clock has passed on: a second write in the same instant is seen', () => {
    const before = looked(NEVER, 100_000, files({})).state;
    const now = 300_000;
    const written = files({ a: [5, now - 500] });
    const once = looked(before, now, written, { ...RULE, quiet: 0 });
    const twice = looked(once.state, now, written, { ...RULE, quiet: 0 });
    expect([once.soon, twice.soon, twice.changes]).toEqual([true, true, []]);
    expect(looked(twice.state, now + 2_000, written, { ...RULE, quiet: 0 }).changes).toHaveLength(1);
    // A time that somebody gave a file does not hold it up for ever.
    const ahead = files({ a: [5, now + 10 * 3600_000] });
    const held = looked(before, now, ahead, { ...RULE, quiet: 0 });
    expect(looked(held.state, now + 1, ahead, { ...RULE, quiet: 0 }).changes).toHaveLength(1);
  });

  test('tell of what is asked for alone, and forget the rest', () => {
    const begun = looked(NEVER, 0, files({ a: [1, 0], b: [1, 0], c: [1, 0] })).state;
    const after = files({ a: [2, 5], c: [1, 0], d: [1, 5] });
    for (const [on, told] of [
      [['made'], ['d']],
      [['changed'], ['a']],
      [['removed'], ['b']],
      [
        ['made', 'changed', 'removed'],
        ['a', 'b', 'd'],
      ],
    ] as const) {
      const seen = looked(begun, 50_000, after, { ...RULE, on });
      const told_ = looked(seen.state, 60_000, after, { ...RULE, on });
      expect(told_.changes.map(({ path }) => path)).toEqual(told);
      expect(looked(told_.state, 80_000, after, { ...RULE, on })).toMatchObject({ changes: [], soon: false });
    }
  });

  test('however they change and whenever somebody looks: each change is told once, at last', () => {
    const random = seeded(runSeed());
    for (let run = 0; run < 200; run += 1) {
      let state = looked(NEVER, 0, files({})).state;
      const there = new Map<string, readonly [number, number]>();
      let seen: Files = new Map();
      for (let now = 1_000; now < 600_000; now += Math.ceil(random() * 20_000)) {
        if (now < 300_000 && random() < 0.4)
          there.set(`f${Math.floor(random() * 5)}`, [Math.floor(random() * 9), now - 1]);
        if (now < 300_000 && random() < 0.1) there.delete(`f${Math.floor(random() * 5)}`);
        const all: WatchRule = { ...RULE, on: ['made', 'changed', 'removed'] };
        const next = looked(state, now, new Map(there), all);
        for (const { path, change } of next.changes) {
          expect(seen.has(path)).toBe(change !== 'made');
          expect(there.has(path)).toBe(change !== 'removed');
          expect(JSON.stringify(seen.get(path))).not.toBe(JSON.stringify(there.get(path)));
        }
        if (next.changes.length > 0) seen = new Map(there);
        state = next.state;
      }
      expect(new Map(seen)).toEqual(there);
    }
  });
});

test('a pattern matches paths by names, and takes no longer for a bad one', () => {
  const cases: readonly [string, readonly string[], readonly string[]][] = [
    ['**', ['a', 'a/b', 'a/b/c.txt'], []],
    ['*.csv', ['a.csv', '.csv'], ['a.txt', 'in/a.csv', 'a.csv.gz']],
    ['**/*.csv', ['a.csv', 'in/a.csv', 'x/y/z.csv'], ['a.csv/b']],
    ['in/**', ['in/a', 'in/b/c', 'in'], ['out/a', 'inn/a']],
    ['in/**/done', ['in/done', 'in/a/b/done'], ['in/a', 'done']],
    ['day-??/*', ['day-01/x'], ['day-1/x', 'day-01/x/y']],
    ['a*b*c', ['abc', 'axxbyyc'], ['abd', 'a/b/c']],
    ['[x].txt', ['[x].txt'], ['x.txt']],
  ];
  for (const [pattern, good, bad] of cases) {
    for (const path of good) expect(matches(pattern, path), `${pattern} ${path}`).toBe(true);
    for (const path of bad) expect(matches(pattern, path), `${pattern} ${path}`).toBe(false);
  }
  expect(matches(`${'*a'.repeat(200)}b`, 'a'.repeat(250))).toBe(false);
  expect(matches(`${'**/'.repeat(150)}b`, `${'a/'.repeat(500)}c`)).toBe(false);
});
