import type { Job, Level, Priority } from './model.ts';
import type { ScopeState } from './scope-tree.ts';
import { quotaMilliGpu, type Shape } from './shapes.ts';

export const RANKS: Readonly<Record<Priority, number>> = { low: 0, normal: 1, high: 2 };

export interface GroupNeed {
  readonly shape: Shape;
  readonly count: number;
  readonly min: number;
  /** What one replica is charged. */
  readonly perReplica: Float64Array;
}

/** All of a job that decisions depend on, but for its age: jobs that share it are decided once. */
export type JobTemplate = Omit<Job, 'id' | 'submittedAt' | 'running' | 'suspended'>;

/** Pending jobs that ask for the same from the same queue, oldest first. */
export interface JobClass {
  readonly key: string;
  readonly template: JobTemplate;
  readonly queue: ScopeState;
  readonly rank: number;
  readonly groups: readonly GroupNeed[];
  readonly preemptible: boolean;
  /** Amounts of all replicas wished for. */
  readonly amounts: Float64Array;
  /** Amounts of the smallest size that will do. */
  readonly least: Float64Array;
  /** The scope whose guarantee says whether the job may have back what was lent; undefined: none does. */
  readonly judge: ScopeState | undefined;
  /** The shape by which it is like others while it waits for room: its jobs are one replica, and no guarantee judges them. */
  readonly alike: string | undefined;
  readonly pending: SlotHeap;
  /** Jobs of it that run. */
  running: number;
  /** To be looked at in this cycle. */
  awake: boolean;
  /** Awake, and counted as lying within its guarantee. */
  entitled: boolean;
  /** Why it sleeps: the scope whose quota stops it, or room. */
  asleepOn: ScopeState | 'room' | 'array' | 'everyone' | undefined;
}

export function classKey(job: JobTemplate): string {
  return JSON.stringify([
    job.queue,
    job.priority,
    job.groups,
    job.lifeSpanMs ?? 0,
    job.scheduleTimeoutMs ?? 0,
    job.pools,
    job.volumes,
    job.within ?? 0,
    job.array ?? 0,
  ]);
}

/** Amounts of a job that has so many replicas of each group. */
export function amountsOf(groups: readonly GroupNeed[], sizes: readonly number[]): Float64Array {
  const amounts = new Float64Array(5);
  amounts[0] = 1;
  groups.forEach(({ perReplica }, g) => {
    const replicas = sizes[g] ?? 0;
    for (let d = 1; d < 5; d += 1) amounts[d] = (amounts[d] ?? 0) + replicas * (perReplica[d] ?? 0);
  });
  return amounts;
}

/** What one replica of a shape is charged, in the order of DIMENSIONS. */
export function chargeOf({ milliCpu, memoryMiB, preset }: Shape): Float64Array {
  return Float64Array.of(0, milliCpu, memoryMiB, quotaMilliGpu(preset.gpu), preset.milliCreditsPerHour);
}

/** Whether jobs of a class may run with fewer replicas than they wish for. */
export function isElastic(of: JobClass): boolean {
  return of.groups.some(({ count, min }) => min < count);
}

/** The domain in which a job's replicas must lie together, at the widest its cluster. */
export function requiredLevel(template: JobTemplate): Level {
  return template.within ?? 'cluster';
}

/** What a heap asks of the table of jobs. */
export interface SlotOrder {
  before(a: number, b: number): boolean;
  place(slot: number): number;
  setPlace(slot: number, place: number): void;
}

/** Numbers of waiting jobs by age, then id: a binary heap that knows where each one is. */
export class SlotHeap {
  readonly #slots: number[] = [];
  readonly #order: SlotOrder;

  constructor(order: SlotOrder) {
    this.#order = order;
  }

  get size(): number {
    return this.#slots.length;
  }

  /** The oldest; undefined where none waits. */
  peek(): number | undefined {
    return this.#slots[0];
  }

  push(slot: number): void {
    this.#up(this.#slots.push(slot) - 1, slot);
  }

  remove(slot: number): void {
    const place = this.#order.place(slot);
    const last = this.#slots.pop() as number;
    this.#order.setPlace(slot, -1);
    if (last === slot) return;
    const above = (place - 1) >> 1;
    if (place > 0 && this.#order.before(last, this.#slots[above] as number)) this.#up(place, last);
    else this.#down(place, last);
  }

  /** In no order. */
  values(): readonly number[] {
    return this.#slots;
  }

  #set(place: number, slot: number): void {
    this.#slots[place] = slot;
    this.#order.setPlace(slot, place);
  }

  #up(from: number, slot: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#slots[above] as number;
      if (!this.#order.before(slot, parent)) break;
      this.#set(place, parent);
      place = above;
    }
    this.#set(place, slot);
  }

  #down(from: number, slot: number): void {
    const slots = this.#slots;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= slots.length) break;
      if (below + 1 < slots.length && this.#order.before(slots[below + 1] as number, slots[below] as number))
        below += 1;
      const child = slots[below] as number;
      if (!this.#order.before(child, slot)) break;
      this.#set(place, child);
      place = below;
    }
    this.#set(place, slot);
  }
}
