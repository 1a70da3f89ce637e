import type { JobClass, ScopeState } from '../state/entities.ts';
import type { WaitingOrder } from '../state/waiting-order.ts';
import { Stakes } from './stakes.ts';

const NOBODY: ReadonlySet<JobClass> = new Set();

/** Gangs that wait for room for replicas of one shape. The bounds may still count gangs that have gone. */
export interface Gangs {
  readonly classes: Set<JobClass>;
  /**
   * Replicas for which room has become free since the first of them went to sleep, whether or not it was taken again.
   */
  freed: number;
  /** The least `dueAt` of a class. */
  dueAt: number;
  /** The least number of replicas that any class needs which belongs to no {@link Alike}. */
  need: number;
}

/** Classes that wait for room for so many replicas of one shape. */
export interface Alike {
  readonly classes: Set<JobClass>;
  readonly shape: string;
  readonly need: number;
}

/**
 * Classes that wait, by what they wait for. `everyone`: for anything that ends anywhere.
 *
 * Many classes that wait for room ask for the same: a number of replicas of one shape, on any node. The tree of scopes
 * keeps them by shape and number. Room for that shape makes all of them candidates, and none has to be touched.
 */
export class Sleepers {
  readonly all = new Set<JobClass>();
  readonly #order: WaitingOrder | undefined;
  readonly stakes = new Stakes();
  /** Those whose jobs may have priority over others, by project. */
  readonly #byProject = new Map<ScopeState, Set<JobClass>>();
  readonly #byScope = new Map<ScopeState | 'everyone', Set<JobClass>>();
  readonly #gangs = new Map<string, Gangs>();
  /** Those kept in the tree. */
  readonly #alike = new Map<string, Alike>();

  /** `order`: who is next for a reservation, where there are any. */
  constructor(order?: WaitingOrder) {
    this.#order = order;
  }

  add(of: JobClass, on: ScopeState | 'room' | 'array' | 'everyone'): void {
    this.all.add(of);
    this.#order?.add(of, on);
    this.stakes.add(of);
    if (of.rank > 0) put(this.#byProject, of.queue.project, of);
    if (on !== 'room') put(this.#byScope, on === 'array' ? of.queue : on, of);
    else {
      if (!of.single || of.alike === undefined)
        for (const { shape, min } of of.groups) this.#putGang(of, shape.key, min);
      if (of.alike !== undefined) this.#putAlike(of, of.alike);
    }
  }

  remove(of: JobClass): void {
    if (!this.all.delete(of)) return;
    this.#order?.remove(of);
    this.stakes.remove(of);
    if (of.rank > 0) drop(this.#byProject, of.queue.project, of);
    const on = of.asleepOn;
    if (on === undefined) return;
    if (on !== 'room') drop(this.#byScope, on === 'array' ? of.queue : on, of);
    else {
      if (!of.single || of.alike === undefined)
        for (const { shape } of of.groups) this.#gangs.get(shape.key)?.classes.delete(of);
      if (of.alike !== undefined) this.#dropAlike(of, of.alike);
    }
  }

  /** A class that may sleep has another oldest job. */
  headChanged(of: JobClass): void {
    if (this.#order === undefined || !this.all.has(of)) return;
    this.#order.remove(of);
    this.#order.add(of, of.asleepOn);
  }

  onScope(scope: ScopeState | 'everyone'): ReadonlySet<JobClass> {
    return this.#byScope.get(scope) ?? NOBODY;
  }

  /** Those of a project whose jobs may have priority over others. */
  ofProject(project: ScopeState): ReadonlySet<JobClass> {
    return this.#byProject.get(project) ?? NOBODY;
  }

  /** Whether any of them may come to preempt others. */
  get contend(): boolean {
    return this.#byProject.size > 0 || this.stakes.entitled.size > 0;
  }

  /** Gangs that wait for room, by shape. */
  gangs(): ReadonlyMap<string, Gangs> {
    return this.#gangs;
  }

  #putGang(of: JobClass, shape: string, min: number): void {
    let gangs = this.#gangs.get(shape);
    if (gangs === undefined) {
      gangs = { classes: new Set(), freed: 0, dueAt: Infinity, need: Infinity };
      this.#gangs.set(shape, gangs);
    }
    gangs.classes.add(of);
    of.dueAt = of.groups.length === 1 ? gangs.freed + of.lacking : 0;
    gangs.dueAt = Math.min(gangs.dueAt, of.dueAt);
    if (of.alike === undefined) gangs.need = Math.min(gangs.need, min);
  }

  /** Those that wait for room all alike. */
  alike(): ReadonlyMap<string, Alike> {
    return this.#alike;
  }

  #putAlike(of: JobClass, key: string): void {
    const [group] = of.groups;
    let alike = this.#alike.get(key);
    if (alike === undefined) {
      alike = { classes: new Set(), shape: group?.shape.key ?? '', need: group?.min ?? 1 };
      this.#alike.set(key, alike);
    }
    alike.classes.add(of);
    put(of.queue.asleepByShape, key, of);
    count(of.queue, key, 1);
  }

  #dropAlike(of: JobClass, key: string): void {
    const alike = this.#alike.get(key);
    alike?.classes.delete(of);
    if (alike?.classes.size === 0) this.#alike.delete(key);
    drop(of.queue.asleepByShape, key, of);
    count(of.queue, key, -1);
  }
}

function count(queue: ScopeState, shape: string, change: 1 | -1): void {
  for (let scope: ScopeState | undefined = queue; scope !== undefined; scope = scope.parent) {
    scope.asleepCounts.set(shape, (scope.asleepCounts.get(shape) ?? 0) + change);
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
