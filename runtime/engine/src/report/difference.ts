import type { BakeDifference } from '@delos/core';

/** What two bakes are compared by. */
export interface ComparedBake {
  readonly id: string;
  readonly batch: string;
  readonly commit: string | null;
  readonly params: Readonly<Record<string, string>>;
  /** By their paths from the flow's folder. */
  readonly files: ReadonlyMap<string, string>;
  readonly tasks: ReadonlyMap<string, ComparedTask>;
}

export interface ComparedTask {
  readonly status: string | null;
  readonly image: string | null;
  readonly key: string | null;
  readonly seconds: number | null;
}

const MOST_LINES = 200;
const AROUND = 2;

/** What changed from one bake to another: files, parameters, images, and what the cache gave. */
export function bakeDifferenceOf(before: ComparedBake, after: ComparedBake): BakeDifference {
  return {
    before: before.id,
    after: after.id,
    batch: changedText(before.batch, after.batch),
    commit: changedText(before.commit, after.commit),
    params: Object.fromEntries(
      named(Object.keys(before.params), Object.keys(after.params)).flatMap((name) => {
        const change = changedText(own(before.params, name), own(after.params, name));
        return change === null ? [] : [[name, change] as const];
      }),
    ),
    files: named(before.files.keys(), after.files.keys()).flatMap((name) => {
      const [one, other] = [before.files.get(name), after.files.get(name)];
      if (one === other) return [];
      const change = one === undefined ? 'added' : other === undefined ? 'removed' : 'changed';
      return [{ name, change, ...linesOf(one ?? '', other ?? '') } as const];
    }),
    tasks: named(before.tasks.keys(), after.tasks.keys()).flatMap((id) => {
      const [one, other] = [before.tasks.get(id), after.tasks.get(id)];
      const [was, is] = [one?.status === 'cached', other?.status === 'cached'];
      const told = {
        status: changedText(one?.status ?? null, other?.status ?? null),
        // A task that was skipped has no image: that is told by its status.
        image: one?.image == null || other?.image == null ? null : changedText(one.image, other.image),
        key: one?.key == null || other?.key == null ? null : changedText(one.key, other.key),
        cached: was === is ? null : { before: was, after: is },
      };
      const change = one === undefined ? 'added' : other === undefined ? 'removed' : 'changed';
      const same = change === 'changed' && Object.values(told).every((each) => each === null);
      return same
        ? []
        : [{ id, change, ...told, seconds: { before: one?.seconds ?? null, after: other?.seconds ?? null } } as const];
    }),
  };
}

const own = (map: Readonly<Record<string, string>>, name: string): string | null =>
  Object.hasOwn(map, name) ? (map[name] ?? null) : null;

const named = (one: Iterable<string>, other: Iterable<string>): readonly string[] =>
  [...new Set([...one, ...other])].sort();

const changedText = (before: string | null, after: string | null) => (before === after ? null : { before, after });

/**
 * Lines that went and came, with those around them. What is the same at the begin and at the end is left out; between,
 * every line is told as gone or come.
 */
export function linesOf(before: string, after: string): { readonly lines: string[]; readonly cut: boolean } {
  const [old, now] = [before, after].map((text) => (text === '' ? [] : text.split('\n'))) as [string[], string[]];
  let begin = 0;
  while (begin < Math.min(old.length, now.length) && old[begin] === now[begin]) begin += 1;
  let end = 0;
  while (end < Math.min(old.length, now.length) - begin && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const all = [
    ...now.slice(Math.max(0, begin - AROUND), begin).map((line) => ` ${line}`),
    ...old.slice(begin, old.length - end).map((line) => `-${line}`),
    ...now.slice(begin, now.length - end).map((line) => `+${line}`),
    ...now.slice(now.length - end, now.length - end + AROUND).map((line) => ` ${line}`),
  ];
  return { lines: all.slice(0, MOST_LINES), cut: all.length > MOST_LINES };
}
