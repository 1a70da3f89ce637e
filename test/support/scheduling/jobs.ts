import {
  type Cycle,
  type Decision,
  Explainer,
  Scheduler,
  type Snapshot,
  type SnapshotInput,
  snapshot,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';

/** A world from what of it matters; the rest is as the schema says. */
export function world(input: SnapshotInput): Snapshot {
  return snapshot.parse(input);
}

/** Nodes n0, n1, … of pool p with so many GPUs each, and with enough of all else for what asks for GPUs alone. */
export function gpuNodes(counts: readonly number[]): NonNullable<SnapshotInput['nodes']> {
  return counts.map((count, n) => ({
    name: `n${n}`,
    pool: 'p',
    milliCpu: 100_000,
    memoryMiB: 1,
    gpu: { model: 'A100', count, memoryMiB: 1 },
  }));
}

/** Decisions as lines that a person reads: `start big on a[0,1] b[0,1]`, `preempt small for big (priority)`. */
export function lines(decisions: readonly Decision[]): readonly string[] {
  return decisions.map(lineOf);
}

function lineOf(decision: Decision): string {
  switch (decision.kind) {
    case 'start': {
      const places = decision.pods.map(({ node, gpus }) => (gpus.length === 0 ? node : `${node}[${gpus.join(',')}]`));
      const how = decision.because === 'fits' ? '' : ` (${decision.because})`;
      return `start ${decision.job} on ${places.join(' ')}${how}`;
    }
    case 'preempt':
      return `preempt ${decision.job} for ${decision.for ?? 'nobody'} (${decision.rule})`;
    case 'resize': {
      const by = [...decision.added.map(({ node }) => `+${node}`), ...decision.removed.map(({ node }) => `-${node}`)];
      return `resize ${decision.job} ${by.join(' ')}${decision.for === null ? '' : ` for ${decision.for}`}`;
    }
    case 'expire':
      return `expire ${decision.job}`;
  }
}

/** One cycle from scratch. */
export function decided(input: SnapshotInput): {
  readonly scheduler: Scheduler;
  readonly cycle: Cycle;
  readonly lines: readonly string[];
} {
  const given = world(input);
  const scheduler = new Scheduler(given, PLACEMENTS);
  const cycle = scheduler.cycle(given.now);
  return { scheduler, cycle, lines: lines(cycle.decisions) };
}

/** Why a job waits after one cycle. */
export function why(input: SnapshotInput, job: string): string | undefined {
  return new Explainer(decided(input).scheduler.state).explain(job)?.text;
}
