import sortedBTree from 'sorted-btree';
import { at } from '../model/quantities.ts';
import { Agenda } from '../waking/agenda.ts';
import type { JobClass, ScopeState } from './entities.ts';
import type { JobTable } from './job-table.ts';

// The package is CommonJS: its class is the default of what is imported.
const { default: BTree } = sortedBTree;
type Tree = InstanceType<typeof BTree<number, JobClass>>;

/** Classes by their oldest job, oldest first; one tree for each priority. */
type Ranked = readonly [Tree, Tree, Tree];

interface Capped {
  readonly classes: Ranked;
  /** Of each amount at least what any of them asks for at its smallest size. */
  readonly most: Float64Array;
}

/**
 * Classes that wait in the order in which they are given reservations: higher priority first, then the one whose oldest job is
 * the oldest. Kept for those that wait for room, and for all in each scope that has a quota or a limit, so that who is next is
 * at hand however many wait.
 */
export class WaitingOrder {
  readonly #jobs: JobTable;
  readonly #afterMs: number;
  readonly #now: () => number;
  readonly #room: Ranked;
  readonly #capped = new Map<ScopeState, Capped>();
  /** The job by which a class is entered: its oldest at that time. */
  readonly #heads = new Map<JobClass, number>();
  /** When a class is next taken from `ripening`. */
  readonly #ripensAt = new Map<JobClass, number>();
  /** Scopes for which who is stopped by their quota may have changed. */
  readonly changed = new Set<ScopeState>();
  /** Instants at which the oldest job of a class has waited for `afterMs`. */
  readonly ripening = new Agenda<JobClass>();

  constructor(jobs: JobTable, afterMs: number, now: () => number) {
    this.#now = now;
    this.#jobs = jobs;
    this.#afterMs = afterMs;
    this.#room = this.#ranked();
  }

  /** A class has gone to sleep, or has another oldest job. */
  add(of: JobClass, on: JobClass['asleepOn']): void {
    const head = of.pending.peek();
    if (head === undefined) return;
    this.#heads.set(of, head);
    const ripensAt = this.#jobs.submittedAt(head) + this.#afterMs;
    if (ripensAt > this.#now() && ripensAt < Infinity && this.#ripensAt.get(of) !== ripensAt) {
      this.#ripensAt.set(of, ripensAt);
      this.ripening.add(ripensAt, of);
    }
    if (on === 'room') this.#room[of.rank as 0 | 1 | 2].set(head, of);
    for (const scope of of.queue.charged) {
      if (!scope.capped) continue;
      const { classes, most } = this.#cappedOf(scope);
      classes[of.rank as 0 | 1 | 2].set(head, of);
      for (let d = 0; d < 5; d += 1) most[d] = Math.max(at(most, d), at(of.least, d));
      this.changed.add(scope);
    }
  }

  remove(of: JobClass): void {
    const head = this.#heads.get(of);
    if (head === undefined) return;
    this.#heads.delete(of);
    this.#room[of.rank as 0 | 1 | 2].delete(head);
    for (const scope of of.queue.charged) {
      if (!scope.capped) continue;
      const { classes, most } = this.#cappedOf(scope);
      classes[of.rank as 0 | 1 | 2].delete(head);
      if (classes.every(({ size }) => size === 0)) most.fill(0);
      this.changed.add(scope);
    }
  }

  /** What a queue and those above it use has changed. */
  used(queue: ScopeState): void {
    for (const scope of queue.charged) if (scope.capped) this.changed.add(scope);
  }

  /** Takes in whose oldest job has waited long enough by now. */
  ripen(now: number): void {
    for (const of of this.ripening.take(now)) {
      if ((this.#ripensAt.get(of) ?? Infinity) <= now) this.#ripensAt.delete(of);
      if (this.#heads.has(of)) this.used(of.queue);
    }
  }

  /** Those that wait for room. */
  forRoom(): Iterable<JobClass> {
    return inOrder(this.#room, () => true);
  }

  /** Of those that wait for room, the ones whose oldest job has waited long enough. */
  ripeForRoom(now: number): Iterable<JobClass> {
    return inOrder(this.#room, (head) => this.#isRipe(head, now));
  }

  /** Of all in a scope, likewise; none, where what is left of its quota is enough for any of them. */
  ripeIn(scope: ScopeState, now: number): Iterable<JobClass> {
    const capped = this.#capped.get(scope);
    if (capped === undefined || !isTight(scope, capped.most)) return [];
    return inOrder(capped.classes, (head) => this.#isRipe(head, now));
  }

  #isRipe(head: number, now: number): boolean {
    return this.#jobs.submittedAt(head) + this.#afterMs <= now;
  }

  #cappedOf(scope: ScopeState): Capped {
    let capped = this.#capped.get(scope);
    if (capped === undefined) {
      capped = { classes: this.#ranked(), most: new Float64Array(5) };
      this.#capped.set(scope, capped);
    }
    return capped;
  }

  #ranked(): Ranked {
    const byAge = (a: number, b: number): number => (a === b ? 0 : this.#jobs.before(a, b) ? -1 : 1);
    const tree = (): Tree => new BTree<number, JobClass>(undefined, byAge);
    return [tree(), tree(), tree()];
  }
}

/** Higher priority first, then the older, as long as `isMeant` holds; in each priority it holds for the oldest up to some one. */
function* inOrder(classes: Ranked, isMeant: (head: number) => boolean): Iterable<JobClass> {
  for (const rank of [2, 1, 0] as const) {
    for (const [head, of] of classes[rank].entries()) {
      if (!isMeant(head)) break;
      yield of;
    }
  }
}

function isTight({ used, quota, limit }: ScopeState, most: Float64Array): boolean {
  for (let d = 0; d < 5; d += 1) {
    if (at(most, d) > 0 && at(used, d) + at(most, d) > Math.min(at(quota, d), at(limit, d))) return true;
  }
  return false;
}
