import type { JobSpec } from '../model/job.ts';
import type { Act } from '../model/messages.ts';
import type { TaskNode } from '../state/node.ts';
import type { Values } from './values.ts';

/**
 * The authority takes the seconds of a cache's life span for days (`timedelta(life_span)`), so that what it would find,
 * we find.
 */
const LIFE_UNIT_MS = 86_400_000;

export function look(node: TaskNode, key: string, now: number): Act {
  const since = now - Number(node.task.run.cache.lifeSpan) * LIFE_UNIT_MS;
  return { kind: 'look', task: node.task.id, key, since };
}

export function submit(node: TaskNode, job: JobSpec): Act {
  return { kind: 'submit', task: node.task.id, jobId: node.jobId as string, try: node.try, job };
}

/** What is awaited for a task, asked for again. */
export function actsOf(
  node: TaskNode,
  values: Values,
  { tags = [], now }: { readonly tags?: readonly string[]; readonly now: number },
): readonly Act[] {
  const { phase, jobId, key } = node;
  const task = node.task.id;
  if (phase === 'looking' && key !== undefined) return [look(node, key, now)];
  if (node.kind === 'local') return phase === 'started' ? [{ kind: 'local', task, cmd: values.command(node) }] : [];
  if (jobId === null) return [];
  if (phase === 'reading') return [{ kind: 'read', task, jobId }];
  if (phase !== 'started') return [];
  // A job that is to be killed is not made, if it is not there yet.
  if (node.killed) return [{ kind: 'kill', task, jobId }];
  return [node.heard ? { kind: 'watch', task, jobId } : submit(node, values.job(node, tags).job)];
}
