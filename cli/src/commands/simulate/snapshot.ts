import { type Decision, Explainer, type Reason, Scheduler, snapshot, snapshotFaults } from '@delos/scheduling';
import { PLACEMENTS } from '@delos/simulator';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { readDocument, readText } from './scheduling-document.ts';

export interface SnapshotOptions {
  readonly snapshot?: string;
}

/** Decides once on a snapshot: what starts, what is preempted, and why the rest waits. */
export async function simulateSnapshot(context: CommandContext, file: string): Promise<void> {
  const given = readDocument(snapshot, { file, text: await readText(file) }, (data) =>
    snapshotFaults(data, PLACEMENTS),
  );
  const scheduler = new Scheduler(given, PLACEMENTS);
  const cycle = scheduler.cycle(given.now);
  const explainer = new Explainer(scheduler.state);
  const waiting: readonly Reason[] = given.jobs.flatMap(({ id }) => explainer.explain(id) ?? []);
  const decided = cycle.decisions.map(rowOf);
  const waits = waiting.map(({ job, queue, text }) => ['wait', job, queue, text]);
  context.result({ ...cycle, waiting }, table(['decision', 'job', 'queue', 'why'], [...decided, ...waits]));
}

function rowOf(decision: Decision): readonly string[] {
  const { job, queue } = decision;
  switch (decision.kind) {
    case 'start': {
      const where = places(decision.pods.map(({ node }) => node));
      return ['start', job, queue, `on ${where} (${decision.because})`];
    }
    case 'preempt':
      return ['preempt', job, queue, decision.text];
    case 'resize':
      return [decision.for === null ? 'grow' : 'shrink', job, queue, decision.text];
    case 'expire':
      return ['give up', job, queue, 'its schedule timeout is over'];
  }
}

function places(nodes: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1);
  return [...counts].map(([node, n]) => (n === 1 ? node : `${node} ×${n}`)).join(', ');
}
