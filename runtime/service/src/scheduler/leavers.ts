import { type Preset, quotaMilliGpu, type Scheduler } from '@delos/scheduling';

/** A job that is stopping. */
export interface Leaver {
  readonly id: string;
  /** The scope that it was submitted to. */
  readonly queue: string;
  /** Whose job it is, as the scope of a quota of theirs is called. */
  readonly person: string;
  readonly preset: Preset;
  /** Where its container is, or is expected to come. */
  readonly node: string;
}

type Scope = Scheduler['state']['scopes'] extends Map<string, infer S> ? S : never;

/**
 * Jobs that are stopping: they were told to end or were preempted, and their containers are still there. The core does
 * not count them any more, so that it gives their places to others and preempts nobody for what is about to be free.
 * Whoever got such a place starts when they have ended. Until then they count, on their node and under quotas.
 */
export class Leavers {
  readonly #core: Scheduler;
  readonly #byId = new Map<string, Leaver>();

  constructor(core: Scheduler) {
    this.#core = core;
  }

  put(leaver: Leaver): void {
    this.#byId.set(leaver.id, leaver);
  }

  get(id: string): Leaver | undefined {
    return this.#byId.get(id);
  }

  delete(id: string): void {
    this.#byId.delete(id);
  }

  /** Which of them must have ended before a job that the core has placed can start. */
  before(id: string): readonly Leaver[] {
    if (this.#byId.size === 0) return [];
    const { state } = this.#core;
    const slot = state.jobs.slotOf(id);
    const job = slot === undefined ? undefined : state.running.get(slot);
    if (job === undefined) return [];
    const found = new Set<Leaver>();
    for (const { node } of job.pods) {
      const there = this.#where((leaver) => leaver.node === state.nodes.name(node));
      if (!this.#fitsOn(node, there)) for (const leaver of there) found.add(leaver);
    }
    for (const scope of job.of.queue.charged) {
      const { name, kind } = scope.spec;
      const inside = this.#where(({ queue, person }) =>
        kind === 'person' ? person === name : queue === name || queue.startsWith(`${name}/`),
      );
      if (!fitsUnder(scope, inside)) for (const leaver of inside) found.add(leaver);
    }
    return [...found];
  }

  #where(is: (leaver: Leaver) => boolean): readonly Leaver[] {
    return [...this.#byId.values()].filter(is);
  }

  /** Whether what the core has put on a node has room beside those who leave it. */
  #fitsOn(node: number, leavers: readonly Leaver[]): boolean {
    if (leavers.length === 0) return true;
    const { nodes } = this.#core.state;
    const sum = (of: (preset: Preset) => number): number =>
      leavers.reduce((total, { preset }) => total + of(preset), 0);
    const counted = new Set(leavers.flatMap(({ preset: { gpu } }) => (gpu?.kind === 'slice' ? [gpu.profile] : [])));
    return (
      (nodes.milliCpu[node] ?? 0) >= sum(({ milliCpu }) => milliCpu) &&
      (nodes.memoryMiB[node] ?? 0) >= sum(({ memoryMiB }) => memoryMiB) &&
      (nodes.pods[node] ?? 0) >= leavers.length &&
      (nodes.idleGpus[node] ?? 0) >= sum(({ gpu }) => (gpu?.kind === 'whole' ? gpu.count : 0)) &&
      [...counted].every(
        (profile) =>
          nodes.freeSlices(profile, node) >=
          sum(({ gpu }) => (gpu?.kind === 'slice' && gpu.profile === profile ? gpu.count : 0)),
      )
    );
  }
}

function fitsUnder({ used, quota, limit }: Scope, leavers: readonly Leaver[]): boolean {
  if (leavers.length === 0) return true;
  // In the order of the core's DIMENSIONS; nothing here costs credits.
  const amounts = [
    leavers.length,
    leavers.reduce((sum, { preset }) => sum + preset.milliCpu, 0),
    leavers.reduce((sum, { preset }) => sum + preset.memoryMiB, 0),
    leavers.reduce((sum, { preset }) => sum + quotaMilliGpu(preset.gpu), 0),
  ];
  return amounts.every(
    (amount, d) => amount === 0 || (used[d] ?? 0) + amount <= Math.min(quota[d] ?? Infinity, limit[d] ?? Infinity),
  );
}
