/**
 * When changes of files make a bake. Pure: told what is there and what time it is. Times are in milliseconds since 1970.
 *
 * Files are looked at again and again. What changed since the last bake makes one once nothing has changed for a while:
 * whoever writes many files, or one slowly, makes one bake.
 */
export interface WatchRule {
  /** Which paths below the folder count: `*` and `?` stay within a name, `**` is any names. */
  readonly pattern: string;
  readonly on: readonly FileChange[];
  /** How long nothing may change before a bake is made. Milliseconds. */
  readonly quiet: number;
}

export type FileChange = 'made' | 'changed' | 'removed';

/** Bytes, and the time of the last change, by path. */
export type Files = ReadonlyMap<string, readonly [bytes: number, changed: number]>;

export interface WatchState {
  /** The files that the last bake was made of; undefined: they were never looked at. */
  readonly seen: Files | undefined;
  /** The files of the last look, in short, and since when they are as they are. */
  readonly last: string | undefined;
  readonly since: number;
}

export interface Looked {
  readonly state: WatchState;
  /** What a bake is to be made of now. It is made again at the next look unless `seen` is kept as it is in `state`. */
  readonly changes: readonly { readonly path: string; readonly change: FileChange }[];
  /** Something is under way: look again after the quiet time. */
  readonly soon: boolean;
}

/** Clocks of files have steps; what changed this lately may change once more without being seen. */
const STEP_MS = 2_000;
/** A file whose time lies further ahead was given that time on purpose. */
const AHEAD_MS = 60_000;

/**
 * @param short tells files apart: a hash of them
 * @param clock what time it is where the files are
 */
export function look(
  rule: WatchRule,
  { seen, last, since }: WatchState,
  {
    files,
    short,
    clock,
    now,
  }: { readonly files: Files; readonly short: string; readonly clock: number; readonly now: number },
): Looked {
  // What is there when one begins to look is no change.
  if (seen === undefined) return { state: { seen: files, last: short, since: now }, changes: [], soon: false };
  const began = short === last ? since : now;
  const state = { seen, last: short, since: began };
  const changes = differences(seen, files);
  if (changes.length === 0) return { state, changes: [], soon: false };
  const fresh = [...files.values()].some(([, changed]) => changed > clock - STEP_MS && changed < clock + AHEAD_MS);
  if (fresh || short !== last || now - began < rule.quiet) return { state, changes: [], soon: true };
  const told = changes.filter(({ change }) => rule.on.includes(change));
  return { state: { ...state, seen: files }, changes: told, soon: false };
}

function differences(before: Files, after: Files): { readonly path: string; readonly change: FileChange }[] {
  const changes: { readonly path: string; readonly change: FileChange }[] = [];
  for (const [path, [bytes, changed]] of after) {
    const was = before.get(path);
    if (was === undefined) changes.push({ path, change: 'made' });
    else if (was[0] !== bytes || was[1] !== changed) changes.push({ path, change: 'changed' });
  }
  for (const path of before.keys()) if (!after.has(path)) changes.push({ path, change: 'removed' });
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Whether a path matches a pattern. Its cost is the product of both lengths, whatever the pattern. */
export function matches(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  // Which parts of the pattern may come next.
  let open = after(wanted, [0]);
  for (const name of given) {
    const next = new Set<number>();
    for (const at of open) {
      const part = wanted[at];
      if (part === '**') next.add(at);
      else if (part !== undefined && matchesName(part, name)) next.add(at + 1);
    }
    open = after(wanted, next);
  }
  return open.has(wanted.length);
}

/** `**` may stand for nothing. */
function after(wanted: readonly string[], places: Iterable<number>): ReadonlySet<number> {
  const open = new Set(places);
  for (const at of open) if (wanted[at] === '**') open.add(at + 1);
  return open;
}

function matchesName(pattern: string, name: string): boolean {
  let [at, from, star, mark] = [0, 0, -1, 0];
  while (from < name.length) {
    if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[from]) && pattern[at] !== '*') {
      at += 1;
      from += 1;
    } else if (pattern[at] === '*') {
      star = at;
      mark = from;
      at += 1;
    } else if (star >= 0) {
      at = star + 1;
      mark += 1;
      from = mark;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
