import {
  bakeDifferenceOf,
  bakePicture,
  type ComparedBake,
  criticalPath,
  linesOf,
  Nesting,
  type TimedTask,
} from '@delos/engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const NOW = 1_000_000;
const task = (id: string, needs: readonly string[], begun: number | null, ended: number | null): TimedTask => ({
  id,
  needs,
  status: begun === null ? null : ended === null ? 'running' : 'succeeded',
  begun,
  running: begun,
  ended,
});

describe('the critical path', () => {
  test('goes back from the task that ended last, by the need that ended last, through calls', () => {
    const tasks = [
      task('a', [], 0, 10),
      task('b', [], 0, 40),
      task('call', ['a', 'b'], 40, 90),
      task('call.x', [], 40, 60),
      task('call.y', ['call.x'], 60, 90),
      task('call.z', [], 40, 50),
      task('last', ['call'], 90, 100),
      task('never', ['last'], null, null),
    ];
    expect(criticalPath(new Nesting(tasks, new Set(['call'])), NOW)).toEqual(['b', 'call.x', 'call.y', 'last']);
  });

  test('of a bake that has not begun is empty; what runs is its end', () => {
    expect(criticalPath(new Nesting([task('a', [], null, null)], new Set()), NOW)).toEqual([]);
    const tasks = [task('a', [], 0, 10), task('b', ['a'], 10, null), task('c', [], 0, 500)];
    expect(criticalPath(new Nesting(tasks, new Set()), NOW)).toEqual(['a', 'b']);
  });
});

/** Bakes with any ids, in which each task needs some that come before it; some lie in calls. */
const bakes = fc
  .array(
    fc.record({
      name: fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((name) => !name.includes('.')),
      inside: fc.nat(),
      nested: fc.boolean(),
      needs: fc.array(fc.nat(), { maxLength: 3 }),
      begun: fc.option(fc.integer({ min: 0, max: NOW })),
      took: fc.option(fc.integer({ min: 0, max: 1000 })),
      status: fc.constantFrom('succeeded', 'failed', 'skipped', 'cached', 'cancelled', 'unknown' as const),
    }),
    { maxLength: 25 },
  )
  .map((given) => {
    const ids: string[] = [];
    const calls = new Set<string>();
    const tasks = given.map(({ name, inside, nested, needs, begun, took, status }, index): TimedTask => {
      const parent = ids[inside % Math.max(1, ids.length)];
      const own = `${name}${index}`;
      const id = nested && parent !== undefined ? `${parent}.${own}` : own;
      if (nested && parent !== undefined) calls.add(parent);
      const chosen = needs.flatMap((need) => ids[need % Math.max(1, ids.length)] ?? []);
      ids.push(id);
      const ended = begun === null || took === null ? null : begun + took;
      return {
        id,
        needs: chosen,
        status: begun === null ? null : ended === null ? 'running' : status,
        begun,
        running: begun,
        ended,
      };
    });
    return { tasks, calls };
  });

describe('the picture of any bake', () => {
  test('is well-formed, has each task once, and is the same each time', () => {
    fc.assert(
      fc.property(bakes, fc.string({ unit: 'binary' }), ({ tasks, calls }, title) => {
        const drawn = (list: readonly TimedTask[]): string => {
          const nesting = new Nesting(list, calls);
          return bakePicture(nesting, { title, critical: new Set(criticalPath(nesting, NOW)), now: NOW });
        };
        const svg = drawn(tasks);
        expect(drawn(tasks.toReversed())).toBe(svg);
        const read = wellFormed(svg);
        expect(read.titles).toBe(tasks.length);
        const plain = tasks.filter(({ id }) => /^[\w.]+$/.test(id));
        for (const { id } of plain) expect(svg).toContain(`<title>${id}: `);
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: 150 },
    );
  });

  test('frames the path that anything waited for, and every path is of tasks that began', () => {
    fc.assert(
      fc.property(bakes, ({ tasks, calls }) => {
        const nesting = new Nesting(tasks, calls);
        const path = criticalPath(nesting, NOW);
        expect(new Set(path).size).toBe(path.length);
        for (const id of path) expect(nesting.byId.get(id)?.begun).not.toBeNull();
        const leaves = tasks.filter(({ id, begun }) => begun !== null && !nesting.isCall(id));
        const end = ({ ended }: TimedTask): number => ended ?? NOW;
        if (leaves.length === 0) expect(path).toEqual([]);
        else expect(end(nesting.byId.get(path.at(-1) ?? '') as TimedTask)).toBe(Math.max(...leaves.map(end)));
      }),
      { numRuns: 150 },
    );
  });
});

/** Reads elements by the grammar of XML, as far as the picture uses it. @throws Error where it is not well-formed */
function wellFormed(text: string): { readonly titles: number } {
  const body = text.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '');
  const open: string[] = [];
  let titles = 0;
  let at = 0;
  const TAG = /<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<&]*")*)(\/?)>/y;
  const TEXT = /(?:[^<&]|&(?:amp|lt|gt|quot);)+/y;
  while (at < body.length) {
    TAG.lastIndex = at;
    TEXT.lastIndex = at;
    const tag = TAG.exec(body);
    const words = tag === null ? TEXT.exec(body) : null;
    if (tag === null && words === null) throw new Error(`not well-formed at ${at}: ${body.slice(at, at + 60)}`);
    if (tag?.[1] === '/') {
      if (open.pop() !== tag[2]) throw new Error(`</${tag[2]}> closes nothing`);
    } else if (tag !== null && tag[4] === '') {
      open.push(tag[2] ?? '');
      if (tag[2] === 'title') titles += 1;
    }
    at += (tag ?? words)?.[0].length ?? 0;
  }
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)) throw new Error('a letter that XML has not');
  if (open.length > 0) throw new Error(`not closed: ${open.join(', ')}`);
  return { titles };
}

const bake = (id: string, more: Partial<ComparedBake> = {}): ComparedBake => ({
  ...{ id, batch: 'train', commit: 'abc', params: {}, files: new Map(), tasks: new Map() },
  ...more,
});

describe('what changed between two bakes', () => {
  test('is nothing from a bake to itself', () => {
    const one = bake('1', { params: { a: '1' }, files: new Map([['f', 'x\n']]) });
    expect(bakeDifferenceOf(one, one)).toMatchObject({ batch: null, commit: null, params: {}, files: [], tasks: [] });
  });

  test('tells files by their lines, parameters, images and what was cached', () => {
    const of = (status: string, image: string, key: string) => ({ status, image, key, seconds: 1 });
    const before = bake('1', {
      params: { lr: '1', gone: 'x' },
      files: new Map([
        ['a.yml', 'one\ntwo\nthree\n'],
        ['old.yml', 'o'],
      ]),
      tasks: new Map([
        ['a', of('succeeded', 'i:1', 'k')],
        ['b', of('cached', 'i:1', 'k')],
        ['c', of('succeeded', 'i', 'k')],
      ]),
    });
    const after = bake('2', {
      commit: 'def',
      params: { lr: '2', __proto__x: 'y' },
      files: new Map([
        ['a.yml', 'one\n2\nthree\n'],
        ['new.yml', 'n'],
      ]),
      tasks: new Map([
        ['a', of('cached', 'i:2', 'k')],
        ['b', of('failed', 'i:1', 'other')],
        ['c', of('succeeded', 'i', 'k')],
      ]),
    });
    expect(bakeDifferenceOf(before, after)).toEqual({
      ...{ before: '1', after: '2', batch: null, commit: { before: 'abc', after: 'def' } },
      params: {
        __proto__x: { before: null, after: 'y' },
        gone: { before: 'x', after: null },
        lr: { before: '1', after: '2' },
      },
      files: [
        { name: 'a.yml', change: 'changed', lines: [' one', '-two', '+2', ' three', ' '], cut: false },
        { name: 'new.yml', change: 'added', lines: ['+n'], cut: false },
        { name: 'old.yml', change: 'removed', lines: ['-o'], cut: false },
      ],
      tasks: [
        {
          ...{ id: 'a', change: 'changed', status: { before: 'succeeded', after: 'cached' }, key: null },
          ...{ image: { before: 'i:1', after: 'i:2' }, cached: { before: false, after: true } },
          seconds: { before: 1, after: 1 },
        },
        {
          ...{ id: 'b', change: 'changed', status: { before: 'cached', after: 'failed' }, image: null },
          ...{ key: { before: 'k', after: 'other' }, cached: { before: true, after: false } },
          seconds: { before: 1, after: 1 },
        },
      ],
    });
  });

  test('of any two texts makes the later one of the earlier one', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const { lines, cut } = linesOf(before, after);
        expect(cut).toBe(false);
        const of = (mark: string) => lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(1));
        const [old, now] = [before, after].map((each) => (each === '' ? [] : each.split('\n')));
        expect((now?.length ?? 0) - (old?.length ?? 0)).toBe(of('+').length - of('-').length);
        if (before === after) expect([of('+'), of('-')]).toEqual([[], []]);
      }),
    );
    expect(linesOf('', Array.from({ length: 500 }, (_, n) => `${n}`).join('\n'))).toMatchObject({ cut: true });
  });
});
