import {
  addTo,
  at,
  capacityOf,
  DIMENSIONS,
  type Job,
  type PodPlacement,
  quotaMilliGpu,
  SHARED_DIMENSIONS,
  type Snapshot,
  vectorOf,
} from '@delos/scheduling';
import type { JobOutcome } from './job-outcome.ts';
import { type Summary, summary } from './summary.ts';

/** Run times below this count as this in slowdowns, so that a job of a second does not weigh a thousandfold. */
const SLOWDOWN_BOUND_MS = 10_000;

export interface Point {
  readonly at: number;
  readonly value: number;
}

export interface Metrics {
  readonly jobs: number;
  readonly ended: number;
  readonly expired: number;
  /** Neither ended nor given up when the simulation ended. */
  readonly unfinished: number;
  readonly preemptions: number;
  /** From the first arrival to the last end, ms. */
  readonly makespanMs: number;
  /** From submission to the last start, ms, of jobs that ended. */
  readonly waitMs: Summary;
  /** (wait + run) / max(run, 10 s), at least 1. Feitelson and Rudolph, "Metrics and Benchmarking", JSSPP 1998. */
  readonly boundedSlowdown: Summary;
  /** Part of what nodes had that was in use from the first arrival to the last end, 0–1; undefined where nodes had none. */
  readonly utilization: { readonly cpu: number | undefined; readonly gpu: number | undefined };
  /**
   * Jain's index of fairness over organizations, 1/n–1: of the dominant resource (of CPU, memory and GPU, as the scheduler
   * counts shares) that each held, over its weight, while anything waited. Jain, Chiu, Hawe, DEC-TR-301, 1984. Undefined where fewer than two had jobs then.
   */
  readonly jain: number | undefined;
  readonly byQueue: readonly QueueMetrics[];
  readonly series: {
    readonly gpu: readonly Point[];
    readonly cpu: readonly Point[];
    readonly waiting: readonly Point[];
    /** Share of the dominant resource by organization. */
    readonly shares: Readonly<Record<string, readonly Point[]>>;
  };
}

export interface QueueMetrics {
  readonly queue: string;
  readonly jobs: number;
  readonly waitMs: Summary;
  readonly boundedSlowdown: Summary;
  readonly preemptions: number;
}

/** Of an organization: what its jobs hold, in the order of DIMENSIONS, and its share summed over the time in which anything waited. */
interface Held {
  readonly use: Float64Array;
  service: number;
}

const none = (): Float64Array => vectorOf({}, 0);
const CPU = DIMENSIONS.indexOf('milliCpu');
const GPU = DIMENSIONS.indexOf('milliGpu');

/** Integrates what is in use as time passes. */
export class Recorder {
  readonly #topOf = new Map<string, string>();
  readonly #weights = new Map<string, number>();
  /** What one replica holds. */
  readonly #presets: ReadonlyMap<string, Float64Array>;
  readonly #capacity = none();
  readonly #byJob = new Map<string, Float64Array>();
  readonly #byTop = new Map<string, Held>();
  readonly #contended = new Set<string>();
  readonly #series = {
    gpu: [] as Point[],
    cpu: [] as Point[],
    waiting: [] as Point[],
    shares: new Map<string, Point[]>(),
  };
  readonly #use = none();
  /** Of `#use` over time. */
  readonly #total = none();
  #waiting = 0;
  readonly #waitingByTop = new Map<string, number>();
  #now = 0;
  #lastEnd = 0;
  #firstArrival: number | undefined;

  constructor(world: Snapshot) {
    const scopes = new Map(world.scopes.map((scope) => [scope.name, scope]));
    for (const scope of world.scopes) {
      let top = scope;
      for (let above = scope.parent; above !== undefined; above = top.parent) top = scopes.get(above) ?? top;
      this.#topOf.set(scope.name, top.name);
      this.#weights.set(top.name, top.weight);
    }
    this.#presets = new Map(
      world.presets.map(({ name, milliCpu, memoryMiB, gpu }) => [
        name,
        vectorOf({ milliCpu, memoryMiB, milliGpu: quotaMilliGpu(gpu) }, 0),
      ]),
    );
    // Slices are parts of devices, here as in quotas.
    for (const node of world.nodes) addTo(this.#capacity, capacityOf({ ...node, ready: true }), 1);
  }

  /** To be called before anything happens at an instant. */
  advance(now: number): void {
    const time = now - this.#now;
    if (time > 0) {
      addTo(
        this.#total,
        this.#use.map((amount) => amount * time),
        1,
      );
      if (this.#waiting > 0) {
        for (const [top, held] of this.#byTop) {
          const share = this.#dominant(held.use);
          if (share > 0 || (this.#waitingByTop.get(top) ?? 0) > 0) this.#contended.add(top);
          held.service += share * time;
        }
      }
      this.#sample();
    }
    this.#now = now;
  }

  arrived(job: Job, now: number): void {
    this.#firstArrival ??= now;
    this.#wait(job, 1);
    this.#scope(job.queue);
  }

  started(job: Job, pods: readonly PodPlacement[], _now: number): void {
    const use = this.#useOf(job, pods);
    this.#byJob.set(job.id, use);
    this.#add(job, use, 1);
    this.#wait(job, -1);
  }

  resized(job: Job, added: readonly PodPlacement[], removed: readonly PodPlacement[]): void {
    const use = this.#byJob.get(job.id);
    if (use === undefined) return;
    for (const [pods, sign] of [[added, 1] as const, [removed, -1] as const]) {
      const change = this.#useOf(job, pods);
      addTo(use, change, sign);
      this.#add(job, change, sign);
    }
  }

  #useOf(job: Job, pods: readonly PodPlacement[]): Float64Array {
    const use = none();
    for (const { group } of pods) {
      const replica = this.#presets.get(job.groups[group]?.preset ?? '');
      if (replica !== undefined) addTo(use, replica, 1);
    }
    return use;
  }

  stopped(job: Job, now: number, again: boolean): void {
    const use = this.#byJob.get(job.id);
    if (use !== undefined) this.#add(job, use, -1);
    this.#byJob.delete(job.id);
    if (again) this.#wait(job, 1);
    else this.#lastEnd = now;
  }

  expired(job: Job, _now: number): void {
    this.#wait(job, -1);
  }

  metrics(jobs: readonly JobOutcome[]): Metrics {
    this.#sample();
    const ended = jobs.filter(({ how }) => how === 'ended');
    const makespanMs = Math.max(0, this.#lastEnd - (this.#firstArrival ?? 0));
    const span = Math.max(1, makespanMs);
    const utilization = (d: number): number | undefined => {
      const capacity = at(this.#capacity, d);
      return capacity === 0 ? undefined : Math.min(1, at(this.#total, d) / (capacity * span));
    };
    const queues = Map.groupBy(jobs, ({ queue }) => queue);
    return {
      jobs: jobs.length,
      ended: ended.length,
      expired: jobs.filter(({ how }) => how === 'expired').length,
      unfinished: jobs.filter(({ how }) => how === 'running' || how === 'waiting').length,
      preemptions: jobs.reduce((sum, { preemptions }) => sum + preemptions, 0),
      makespanMs,
      waitMs: summary(ended.map(waitOf)),
      boundedSlowdown: summary(ended.map(slowdownOf)),
      utilization: { cpu: utilization(CPU), gpu: utilization(GPU) },
      jain: this.#jain(),
      byQueue: [...queues.keys()].sort().map((queue) => {
        const own = queues.get(queue) ?? [];
        const done = own.filter(({ how }) => how === 'ended');
        return {
          queue,
          jobs: own.length,
          waitMs: summary(done.map(waitOf)),
          boundedSlowdown: summary(done.map(slowdownOf)),
          preemptions: own.reduce((sum, { preemptions }) => sum + preemptions, 0),
        };
      }),
      series: {
        gpu: this.#series.gpu,
        cpu: this.#series.cpu,
        waiting: this.#series.waiting,
        shares: Object.fromEntries([...this.#series.shares].sort(([a], [b]) => (a < b ? -1 : 1))),
      },
    };
  }

  #jain(): number | undefined {
    const each = [...this.#byTop]
      .filter(([top]) => this.#contended.has(top))
      .map(([top, { service }]) => service / (this.#weights.get(top) ?? 1));
    const squares = each.reduce((sum, x) => sum + x * x, 0);
    if (each.length < 2 || squares === 0) return undefined;
    return each.reduce((sum, x) => sum + x, 0) ** 2 / (each.length * squares);
  }

  /** Of what nodes have, the part that is held; of nothing, none. */
  #part(use: Float64Array, d: number): number {
    const capacity = at(this.#capacity, d);
    return capacity === 0 ? 0 : at(use, d) / capacity;
  }

  #dominant(use: Float64Array): number {
    return Math.max(...SHARED_DIMENSIONS.map((d) => this.#part(use, d)));
  }

  #scope(queue: string): Held {
    const top = this.#topOf.get(queue) ?? queue;
    const held = this.#byTop.get(top) ?? { use: none(), service: 0 };
    this.#byTop.set(top, held);
    return held;
  }

  #add({ queue }: Job, use: Float64Array, sign: 1 | -1): void {
    addTo(this.#scope(queue).use, use, sign);
    addTo(this.#use, use, sign);
  }

  #wait(job: Job, sign: 1 | -1): void {
    const top = this.#topOf.get(job.queue) ?? job.queue;
    this.#waiting += sign;
    this.#waitingByTop.set(top, (this.#waitingByTop.get(top) ?? 0) + sign);
  }

  #sample(): void {
    push(this.#series.gpu, this.#now, this.#part(this.#use, GPU));
    push(this.#series.cpu, this.#now, this.#part(this.#use, CPU));
    push(this.#series.waiting, this.#now, this.#waiting);
    for (const [top, held] of this.#byTop) {
      const points = this.#series.shares.get(top) ?? [];
      this.#series.shares.set(top, points);
      push(points, this.#now, this.#dominant(held.use));
    }
  }
}

/** Adds a point where the value has changed. */
function push(points: Point[], at: number, value: number): void {
  if (points.at(-1)?.value !== value) points.push({ at, value });
}

function waitOf({ submittedAt, startedAt }: JobOutcome): number {
  return (startedAt ?? submittedAt) - submittedAt;
}

function slowdownOf({ submittedAt, startedAt, endedAt }: JobOutcome): number {
  const run = (endedAt ?? 0) - (startedAt ?? 0);
  return Math.max(1, ((endedAt ?? submittedAt) - submittedAt) / Math.max(run, SLOWDOWN_BOUND_MS));
}
