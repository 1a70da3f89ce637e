import { type Decision, Scheduler } from '@delos/scheduling';
import type { JobOutcome } from './job-outcome.ts';
import { type Metrics, Recorder } from './metrics.ts';
import { PLACEMENTS } from './placements.ts';
import { seeded } from './random.ts';
import { expand, type SimulatedJob, type Workload } from './workload.ts';

export interface SimulationResult {
  readonly title: string;
  readonly metrics: Metrics;
  readonly jobs: readonly JobOutcome[];
  /** Cycles of the scheduler, and the decisions made in them. */
  readonly cycles: number;
  readonly decisions: number;
}

export interface SimulationOptions {
  /** Sees every decision as it is made. */
  readonly onDecision?: (decision: Decision, now: number) => void;
}

interface Track {
  readonly simulated: SimulatedJob;
  startedAt: number | undefined;
  endedAt: number | undefined;
  preemptions: number;
  how: JobOutcome['how'];
  /** Counts starts: the end of an earlier one is void. */
  run: number;
}

type Happening =
  | { readonly kind: 'arrive'; readonly track: Track }
  | { readonly kind: 'end'; readonly track: Track; readonly run: number }
  | { readonly kind: 'fail' | 'return'; readonly node: string };

/**
 * Runs a workload through the scheduler in simulated time. All that happens at one instant is told to it before it
 * decides once. A preempted job, or one whose node is lost, starts again from the beginning.
 */
export function simulate(given: Workload, options: SimulationOptions = {}): SimulationResult {
  const { world, jobs } = expand(given, seeded(given.seed));
  const scheduler = new Scheduler(world, PLACEMENTS);
  const recorder = new Recorder(world);
  const agenda = new Agenda();
  const tracks = new Map<string, Track>();
  for (const simulated of jobs) {
    const track: Track = {
      simulated,
      startedAt: undefined,
      endedAt: undefined,
      preemptions: 0,
      how: 'waiting',
      run: 0,
    };
    tracks.set(simulated.job.id, track);
    agenda.add(simulated.job.submittedAt, { kind: 'arrive', track });
  }
  for (const { node, at, forMs } of given.failures) {
    agenda.add(at, { kind: 'fail', node });
    agenda.add(at + forMs, { kind: 'return', node });
  }
  const nodes = new Map(world.nodes.map((node) => [node.name, node]));
  let cycles = 0;
  let decisions = 0;
  let due: number | undefined;
  let now = 0;

  const suspend = (id: string): void => {
    const track = tracks.get(id);
    if (track === undefined) return;
    track.run += 1;
    track.preemptions += 1;
    track.startedAt = undefined;
    track.how = 'waiting';
    recorder.stopped(track.simulated.job, now, true);
  };
  const happen = (what: Happening): void => {
    switch (what.kind) {
      case 'arrive':
        scheduler.submit(what.track.simulated.job, now);
        recorder.arrived(what.track.simulated.job, now);
        return;
      case 'end':
        if (what.run !== what.track.run || !scheduler.finish(what.track.simulated.job.id, now)) return;
        what.track.endedAt = now;
        what.track.how = 'ended';
        recorder.stopped(what.track.simulated.job, now, false);
        return;
      case 'fail':
        for (const id of scheduler.removeNode(what.node, now)) suspend(id);
        return;
      case 'return': {
        const node = nodes.get(what.node);
        if (node !== undefined) scheduler.putNode(node, now);
        return;
      }
    }
  };
  const take = (decision: Decision): void => {
    options.onDecision?.(decision, now);
    const track = tracks.get(decision.job);
    if (track === undefined) return;
    switch (decision.kind) {
      case 'start':
        track.startedAt = now;
        track.how = 'running';
        track.run += 1;
        recorder.started(track.simulated.job, decision.pods, now);
        agenda.add(now + track.simulated.runMs, { kind: 'end', track, run: track.run });
        return;
      case 'preempt':
        suspend(decision.job);
        return;
      case 'resize':
        recorder.resized(track.simulated.job, decision.added, decision.removed);
        return;
      case 'expire':
        track.how = 'expired';
        recorder.expired(track.simulated.job, now);
        return;
    }
  };

  for (;;) {
    const next = Math.min(agenda.next ?? Infinity, due ?? Infinity);
    if (next === Infinity || next > (given.until ?? Infinity)) break;
    now = next;
    recorder.advance(now);
    for (const what of agenda.take(now)) happen(what);
    const cycle = scheduler.cycle(now);
    cycles += 1;
    decisions += cycle.decisions.length;
    for (const decision of cycle.decisions) take(decision);
    // A cycle that is due at once again would stand still.
    due = cycle.next === undefined || cycle.next > now ? cycle.next : now + 1;
  }
  const outcomes = [...tracks.values()].map(outcomeOf);
  return { title: given.title, metrics: recorder.metrics(outcomes), jobs: outcomes, cycles, decisions };
}

function outcomeOf({ simulated: { job }, startedAt, endedAt, preemptions, how }: Track): JobOutcome {
  return { id: job.id, queue: job.queue, submittedAt: job.submittedAt, startedAt, endedAt, preemptions, how };
}

/** What happens, by instant and then in the order in which it was entered. */
class Agenda {
  readonly #heap: { readonly at: number; readonly order: number; readonly what: Happening }[] = [];
  #order = 0;

  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  add(at: number, what: Happening): void {
    const heap = this.#heap;
    const entry = { at, order: this.#order++, what };
    let place = heap.push(entry) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(entry, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = entry;
  }

  take(now: number): readonly Happening[] {
    const taken: Happening[] = [];
    while ((this.next ?? Infinity) <= now) taken.push(this.#pop());
    return taken;
  }

  #pop(): Happening {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) throw new RangeError('nothing is on the agenda');
    if (heap.length === 0) return first.what;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      const [left, right] = [heap[below], heap[below + 1]];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) below += 1;
      const child = heap[below];
      if (child === undefined || !isBefore(child, last)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = last;
    return first.what;
  }
}

function isBefore(
  a: { readonly at: number; readonly order: number },
  b: { readonly at: number; readonly order: number },
): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
