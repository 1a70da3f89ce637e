import type { JobClass } from './job-class.ts';
import type { ScopeState } from './scope-tree.ts';

const NOBODY: ReadonlySet<JobClass> = new Set();

/** Classes that wait, by what they wait for. `everyone`: for anything that ends anywhere. */
export class Sleepers {
  readonly all = new Set<JobClass>();
  /** Of those, which some guarantee speaks of. */
  readonly judged = new Set<JobClass>();
  readonly #byScope = new Map<ScopeState | 'everyone', Set<JobClass>>();
  readonly #byShape = new Map<string, Set<JobClass>>();

  add(of: JobClass, on: ScopeState | 'room' | 'array' | 'everyone'): void {
    this.all.add(of);
    if (of.judge !== undefined) this.judged.add(of);
    if (on === 'room') for (const { shape } of of.groups) put(this.#byShape, shape.key, of);
    else put(this.#byScope, on === 'array' ? of.queue : on, of);
  }

  remove(of: JobClass): void {
    if (!this.all.delete(of)) return;
    this.judged.delete(of);
    const on = of.asleepOn;
    if (on === 'room') for (const { shape } of of.groups) drop(this.#byShape, shape.key, of);
    else if (on !== undefined) drop(this.#byScope, on === 'array' ? of.queue : on, of);
  }

  onScope(scope: ScopeState | 'everyone'): ReadonlySet<JobClass> {
    return this.#byScope.get(scope) ?? NOBODY;
  }

  onRoom(): ReadonlyMap<string, ReadonlySet<JobClass>> {
    return this.#byShape;
  }
}

function put<K>(map: Map<K, Set<JobClass>>, key: K, of: JobClass): void {
  const classes = map.get(key);
  if (classes === undefined) map.set(key, new Set([of]));
  else classes.add(of);
}

function drop<K>(map: Map<K, Set<JobClass>>, key: K, of: JobClass): void {
  const classes = map.get(key);
  classes?.delete(of);
  if (classes?.size === 0) map.delete(key);
}
