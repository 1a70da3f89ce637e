import { isWithinGuarantee } from '../policies/lending.ts';
import type { JobClass, ScopeState, Stake } from '../state/entities.ts';
import type { WaitingOrder } from '../state/waiting-order.ts';
import { Sleepers } from './sleepers.ts';

/** Which classes are to be looked at in this cycle, and what the others wait for. */
export class Attention {
  readonly awake = new Set<JobClass>();
  readonly sleepers: Sleepers;
  /** Shapes for which there may be room: all that are alike in waiting for it are to be looked at. */
  readonly #open = new Set<string>();
  /** Scopes whose use has changed: which classes lie within their guarantee must be computed again. */
  readonly #stale = new Set<ScopeState>();
  /** Classes that are awake and whose jobs are single replicas, by shape. */
  readonly #single = new Map<string, Set<JobClass>>();
  /** Those awake that know the nodes on which to look for somebody to preempt. */
  readonly #narrow = new Set<JobClass>();
  readonly #onWake: (of: JobClass) => void;

  /** `onWake` is told of every class that is woken. */
  constructor(onWake: (of: JobClass) => void, order?: WaitingOrder) {
    this.#onWake = onWake;
    this.sleepers = new Sleepers(order);
  }

  /** With `node`, it is for what has changed there that it may preempt others where it could not before. */
  wake(of: JobClass, node?: number): void {
    if (of.pending.size === 0) return;
    if (node === undefined) this.#retry(of, 'anywhere');
    else if (of.retryOn !== 'anywhere') this.#retry(of, of.retryOn.add(node));
    if (of.awake) return;
    this.#onWake(of);
    this.sleepers.remove(of);
    of.awake = true;
    of.asleepOn = undefined;
    this.awake.add(of);
    const shape = singleShape(of);
    if (shape !== undefined) {
      const same = this.#single.get(shape);
      if (same === undefined) this.#single.set(shape, new Set([of]));
      else same.add(of);
    }
    if (of.judge !== undefined) {
      of.judge.judged.add(of);
      this.#stale.add(of.judge);
    }
    of.queue.awakeClasses.push(of);
    for (let scope: ScopeState | undefined = of.queue; scope !== undefined; scope = scope.parent) scope.awake += 1;
  }

  #retry(of: JobClass, on: JobClass['retryOn']): void {
    of.retryOn = on;
    if (on === 'anywhere') this.#narrow.delete(of);
    else this.#narrow.add(of);
  }

  /** Something on a node has changed that those awake have yet to look at. */
  changed(node: number): void {
    for (const { retryOn } of this.#narrow) if (retryOn !== 'anywhere') retryOn.add(node);
  }

  /** Whether anything is to be looked at. */
  get busy(): boolean {
    if (this.awake.size > 0) return true;
    for (const shape of this.#open) if (this.sleepers.alike().has(shape)) return true;
    this.#open.clear();
    return false;
  }

  /** There may be room for one more of a shape. */
  open(shape: string): void {
    this.#open.add(shape);
  }

  /** There is no room for this shape, whichever class asks. */
  close(shape: string): void {
    this.#open.delete(shape);
  }

  /** Classes to be looked at in a scope and below. */
  in(scope: ScopeState): number {
    let sum = scope.awake;
    for (const shape of this.#open) sum += scope.asleepCounts.get(shape) ?? 0;
    return sum;
  }

  /** Classes to be looked at of a queue. */
  of(queue: ScopeState): readonly JobClass[] {
    if (this.#open.size === 0 || queue.asleepByShape.size === 0) return queue.awakeClasses;
    const classes = [...queue.awakeClasses];
    for (const shape of this.#open) classes.push(...(queue.asleepByShape.get(shape) ?? []));
    return classes;
  }

  wakeAll(classes: Iterable<JobClass>): void {
    for (const of of [...classes]) this.wake(of);
  }

  /** Puts a class to sleep on what stops it; undefined: it has no jobs. */
  sleep(of: JobClass, on: JobClass['asleepOn']): void {
    if (of.awake) {
      of.awake = false;
      this.awake.delete(of);
      this.#narrow.delete(of);
      const shape = singleShape(of);
      if (shape !== undefined) this.#single.get(shape)?.delete(of);
      of.judge?.judged.delete(of);
      this.#entitle(of, false);
      of.queue.awakeClasses.splice(of.queue.awakeClasses.indexOf(of), 1);
      for (let scope: ScopeState | undefined = of.queue; scope !== undefined; scope = scope.parent) scope.awake -= 1;
    } else this.sleepers.remove(of);
    of.asleepOn = on;
    if (on !== undefined) this.sleepers.add(of, on);
  }

  /**
   * What a scope and those above it use has changed. Returns the stakes that lie within a guarantee now and did not
   * before.
   */
  usedOtherwise(queue: ScopeState): readonly Stake[] {
    for (const scope of queue.path) if (scope.judged.size > 0) this.#stale.add(scope);
    const gained = this.sleepers.stakes.weigh(queue);
    for (const stake of gained) {
      for (const of of this.#narrow) if (of.stakes.includes(stake)) this.#retry(of, 'anywhere');
    }
    return gained;
  }

  /** Brings the counts of classes within their guarantee up to date. */
  judge(): void {
    for (const scope of this.#stale) {
      for (const of of scope.judged) this.#entitle(of, isWithinGuarantee(scope, of.least));
    }
    this.#stale.clear();
  }

  #entitle(of: JobClass, entitled: boolean): void {
    if (of.entitled === entitled) return;
    of.entitled = entitled;
    const change = entitled ? 1 : -1;
    for (let scope: ScopeState | undefined = of.queue; scope !== undefined; scope = scope.parent)
      scope.entitled += change;
  }

  /** Classes awake whose jobs ask for one replica of the same shape as this one's. */
  alike(of: JobClass): Iterable<JobClass> {
    const shape = singleShape(of);
    return shape === undefined ? [] : [...(this.#single.get(shape) ?? [])];
  }
}

function singleShape(of: JobClass): string | undefined {
  return of.single ? of.groups[0]?.shape.key : undefined;
}
