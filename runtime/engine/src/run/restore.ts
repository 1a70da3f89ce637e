import { jobIdOf, TRIES } from '../model/job-id.ts';
import { isFinished, type TaskRecord } from '../model/records.ts';
import type { TaskNode } from '../state/node.ts';
import type { BakeOptions, Progress } from './progress.ts';
import { isAlways } from './values.ts';

/** The state that records tell of. What they tell is not written again; what follows from it may be. */
export function restore(progress: Progress, records: readonly TaskRecord[], options: BakeOptions): void {
  const told: TaskNode[] = [];
  // Before it was lost, maybe.
  const ran = new Set<TaskNode>();
  for (const record of records) {
    const node = progress.graph.nodes.get(record.task);
    if (node === undefined || !recall(node, record)) continue;
    told.push(node);
    if (record.statuses.some(({ status }) => status === 'running')) ran.add(node);
    progress.now = Math.max(progress.now, record.statuses.at(-1)?.at ?? 0);
  }
  for (const node of told) {
    if (node.phase === 'done' || ran.has(node)) progress.ran(node);
    if (node.phase === 'open') progress.unblock(node.children);
  }
  for (const node of told) if (node.phase === 'started') resume(progress, node, options);
  const done = told.filter(({ phase }) => phase === 'done');
  for (const node of done) progress.completed(node);
  for (const node of told) progress.settle(node);
  const stops = ({ status, task }: TaskNode): boolean =>
    (status === 'failed' || status === 'cancelled') && task.run.strategy.failFast;
  if (done.some(stops)) progress.cancel();
}

/** False where the record says nothing. */
function recall(node: TaskNode, { statuses, jobId, outputs, state }: TaskRecord): boolean {
  const status = statuses.at(-1)?.status;
  if (status === undefined) return false;
  const done = isFinished(status);
  // A job that nobody has an id of was never made.
  if (!done && node.kind === 'job' && jobId === null) return false;
  node.status = status;
  node.jobId = jobId;
  node.outputs = outputs ?? {};
  node.state = state ?? {};
  node.phase = done ? 'done' : node.kind === 'call' ? 'open' : 'started';
  return true;
}

/** A task whose job was submitted, or was about to be. */
function resume(progress: Progress, node: TaskNode, { attempt, tries }: Pick<BakeOptions, 'attempt' | 'tries'>): void {
  progress.active.add(node);
  if (node.kind === 'job') {
    const all = Array.from({ length: tries ?? TRIES }, (_, index) => jobIdOf(attempt, node.task.id, index + 1));
    const index = all.indexOf(node.jobId ?? '');
    node.try = Math.max(1, index + 1);
    // A job that another executor made is watched, and never made.
    node.heard = index < 0;
    progress.place(node);
  }
  try {
    node.always = isAlways(progress.values.enable(node));
    if (node.kind === 'job') node.key = progress.values.job(node, []).key;
  } catch {
    // It had its values when it was started; without them, nothing is kept of it.
    node.always = false;
  }
}
