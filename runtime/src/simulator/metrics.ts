import type { Job, PodPlacement, Snapshot } from '../scheduling/index.ts';
import { capacityOf, quotaMilliGpu } from '../scheduling/index.ts';
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
  /** Part of what nodes had that was in use until the last end, 0–1; undefined where nodes had none. */
  readonly utilization: { readonly cpu: number | undefined; readonly gpu: number | undefined };
  /**
   * Jain's index of fairness over organizations, 1/n–1: of the dominant resource that each held, over its weight, while
   * anything waited. Jain, Chiu, Hawe, DEC-TR-301, 1984. Undefined where fewer than two had jobs then.
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

interface Use {
  readonly cpu: number;
  readonly gpu: number;
}

/** Integrates what is in use as time passes. */
export class Recorder {
  readonly #topOf = new Map<string, string>();
  readonly #weights = new Map<string, number>();
  readonly #presets: ReadonlyMap<string, Use>;
  readonly #capacity: Use;
  readonly #held = new Map<string, Use & { readonly top: string }>();
  readonly #byTop = new Map<string, { cpu: number; gpu: number; service: number }>();
  readonly #contended = new Set<string>();
  readonly #series = {
    gpu: [] as Point[],
    cpu: [] as Point[],
    waiting: [] as Point[],
    shares: new Map<string, Point[]>(),
  };
  #use = { cpu: 0, gpu: 0 };
  #total = { cpu: 0, gpu: 0 };
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
      world.presets.map(({ name, milliCpu, gpu }) => [name, { cpu: milliCpu, gpu: quotaMilliGpu(gpu) }]),
    );
    // Slices are parts of devices, here as in quotas.
    const all = world.nodes.map((node) => capacityOf({ ...node, ready: true }));
    this.#capacity = {
      cpu: all.reduce((sum, [, milliCpu = 0]) => sum + milliCpu, 0),
      gpu: all.reduce((sum, [, , , milliGpu = 0]) => sum + milliGpu, 0),
    };
  }

  /** To be called before anything happens at an instant. */
  advance(now: number): void {
    const time = now - this.#now;
    if (time > 0) {
      this.#total.cpu += this.#use.cpu * time;
      this.#total.gpu += this.#use.gpu * time;
      if (this.#waiting > 0) {
        for (const [top, held] of this.#byTop) {
          if (held.cpu > 0 || held.gpu > 0 || (this.#waitingByTop.get(top) ?? 0) > 0) this.#contended.add(top);
          held.service += this.#dominant(held) * time;
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
    const top = this.#topOf.get(job.queue) ?? job.queue;
    const { cpu, gpu } = this.#useOf(job, pods);
    this.#held.set(job.id, { cpu, gpu, top });
    this.#add(top, cpu, gpu);
    this.#wait(job, -1);
  }

  resized(job: Job, added: readonly PodPlacement[], removed: readonly PodPlacement[]): void {
    const held = this.#held.get(job.id);
    if (held === undefined) return;
    const [more, less] = [this.#useOf(job, added), this.#useOf(job, removed)];
    const [cpu, gpu] = [more.cpu - less.cpu, more.gpu - less.gpu];
    this.#held.set(job.id, { cpu: held.cpu + cpu, gpu: held.gpu + gpu, top: held.top });
    this.#add(held.top, cpu, gpu);
  }

  #useOf(job: Job, pods: readonly PodPlacement[]): Use {
    let [cpu, gpu] = [0, 0];
    for (const { group } of pods) {
      const preset = this.#presets.get(job.groups[group]?.preset ?? '');
      cpu += preset?.cpu ?? 0;
      gpu += preset?.gpu ?? 0;
    }
    return { cpu, gpu };
  }

  stopped(job: Job, now: number, again: boolean): void {
    const held = this.#held.get(job.id);
    if (held !== undefined) this.#add(held.top, -held.cpu, -held.gpu);
    this.#held.delete(job.id);
    if (again) this.#wait(job, 1);
    else this.#lastEnd = now;
  }

  expired(job: Job, _now: number): void {
    this.#wait(job, -1);
  }

  metrics(jobs: readonly JobOutcome[]): Metrics {
    this.#sample();
    const ended = jobs.filter(({ how }) => how === 'ended');
    const span = Math.max(1, this.#lastEnd);
    const part = (total: number, capacity: number): number | undefined =>
      capacity === 0 ? undefined : Math.min(1, total / (capacity * span));
    const queues = Map.groupBy(jobs, ({ queue }) => queue);
    return {
      jobs: jobs.length,
      ended: ended.length,
      expired: jobs.filter(({ how }) => how === 'expired').length,
      unfinished: jobs.filter(({ how }) => how === 'running' || how === 'waiting').length,
      preemptions: jobs.reduce((sum, { preemptions }) => sum + preemptions, 0),
      makespanMs: Math.max(0, this.#lastEnd - (this.#firstArrival ?? 0)),
      waitMs: summary(ended.map(waitOf)),
      boundedSlowdown: summary(ended.map(slowdownOf)),
      utilization: {
        cpu: part(this.#total.cpu, this.#capacity.cpu),
        gpu: part(this.#total.gpu, this.#capacity.gpu),
      },
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

  #dominant({ cpu, gpu }: Use): number {
    const part = (use: number, capacity: number): number => (capacity === 0 ? 0 : use / capacity);
    return Math.max(part(cpu, this.#capacity.cpu), part(gpu, this.#capacity.gpu));
  }

  #scope(queue: string): { cpu: number; gpu: number; service: number } {
    const top = this.#topOf.get(queue) ?? queue;
    const held = this.#byTop.get(top) ?? { cpu: 0, gpu: 0, service: 0 };
    this.#byTop.set(top, held);
    return held;
  }

  #add(top: string, cpu: number, gpu: number): void {
    const held = this.#scope(top);
    held.cpu += cpu;
    held.gpu += gpu;
    this.#use.cpu += cpu;
    this.#use.gpu += gpu;
  }

  #wait(job: Job, sign: 1 | -1): void {
    const top = this.#topOf.get(job.queue) ?? job.queue;
    this.#waiting += sign;
    this.#waitingByTop.set(top, (this.#waitingByTop.get(top) ?? 0) + sign);
  }

  #sample(): void {
    const part = (use: number, capacity: number): number => (capacity === 0 ? 0 : use / capacity);
    push(this.#series.gpu, this.#now, part(this.#use.gpu, this.#capacity.gpu));
    push(this.#series.cpu, this.#now, part(this.#use.cpu, this.#capacity.cpu));
    push(this.#series.waiting, this.#now, this.#waiting);
    for (const [top, held] of this.#byTop) {
      const points = this.#series.shares.get(top) ?? [];
      this.#series.shares.set(top, points);
      push(points, this.#now, this.#dominant(held));
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
