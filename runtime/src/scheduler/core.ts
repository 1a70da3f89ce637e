import { bestFit, emptyNode, type FreeNode, freeNodes, obstacle, take } from './capacity.ts';
import type { Admission, Decisions, QueuedJob, SchedulerState, Waiting } from './model.ts';
import { quotaBook } from './quota.ts';
import { noRoom } from './reasons.ts';

/** A job that has found no room for so long has a node kept for it. */
export const RESERVE_AFTER_SECONDS = 60;

/**
 * One round: queued jobs by priority, then age, each admitted where quotas and a node allow it.
 *
 * Smaller jobs pass larger ones that find no room (backfill), but not for ever: the first that has waited for
 * {@link RESERVE_AFTER_SECONDS} has one node of its pools kept, on which nobody after it is placed. A job that a quota
 * stops keeps nothing: room is not what it waits for.
 *
 * The outcome depends on the state alone, not on the order of its lists.
 */
export function decide(state: SchedulerState): Decisions {
  const nodes = freeNodes(state.nodes, state.active);
  const quotas = quotaBook(state, state.active);
  const admit: Admission[] = [];
  const waiting: Waiting[] = [];
  const reserved = new Set<string>();
  const reservedPools = new Set<string>();
  // Within a round room only shrinks: what did not fit once does not fit later.
  const noRoomFor = new Map<string, string>();
  const keptFor = new Set<string>();
  const busy = countJobs(state);

  for (const job of inOrder(state.queued)) {
    const overQuota = quotas.exceeded(job.org, job.project, job.needs);
    if (overQuota !== undefined) {
      waiting.push({ id: job.id, reason: 'QuotaExhausted', description: overQuota });
      continue;
    }
    const shape = shapeOf(job);
    let description = noRoomFor.get(shape);
    if (description === undefined) {
      const allowed = nodes.filter((node) => job.pools.length === 0 || job.pools.includes(node.pool));
      const open = allowed.filter((node) => !reserved.has(node.name));
      const node = bestFit(open, job.needs);
      if (node !== undefined) {
        take(node, job.needs);
        quotas.charge(job.org, job.project, job.needs);
        admit.push({ id: job.id, pool: node.pool, node: node.name });
        continue;
      }
      description = noRoom(allowed, job.needs, job.pools, reserved);
      noRoomFor.set(shape, description);
    }
    waiting.push({ id: job.id, reason: 'NoCapacity', description });
    const waited = (state.now.getTime() - job.createdAt.getTime()) / 1000;
    if (waited >= RESERVE_AFTER_SECONDS && !keptFor.has(shape)) {
      keptFor.add(shape);
      const kept = nodeToKeep(nodes, job, reservedPools, busy);
      if (kept !== undefined) {
        reserved.add(kept.name);
        reservedPools.add(kept.pool);
      }
    }
  }
  return { admit, waiting };
}

function inOrder(queued: readonly QueuedJob[]): readonly QueuedJob[] {
  return queued.toSorted(
    (a, b) => b.priority - a.priority || a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1),
  );
}

const shapes = new WeakMap<QueuedJob, string>();

/** What a job asks of nodes, as a key; kept with the job, for it is asked again each round. */
function shapeOf(job: QueuedJob): string {
  let shape = shapes.get(job);
  if (shape === undefined) {
    const extended = Object.entries(job.needs.extended).sort();
    shape = JSON.stringify([job.needs.milliCpu, job.needs.memory, extended, job.pools.toSorted()]);
    shapes.set(job, shape);
  }
  return shape;
}

/** The node that is nearest to having room: the one with the fewest jobs of those that could hold it when empty. */
function nodeToKeep(
  nodes: readonly FreeNode[],
  job: QueuedJob,
  reservedPools: ReadonlySet<string>,
  busy: ReadonlyMap<string, number>,
): FreeNode | undefined {
  return nodes
    .filter((node) => job.pools.length === 0 || job.pools.includes(node.pool))
    .filter((node) => !reservedPools.has(node.pool))
    .filter((node) => obstacle(emptyNode(node.report, node.pool), job.needs) === undefined)
    .sort((a, b) => (busy.get(a.name) ?? 0) - (busy.get(b.name) ?? 0) || (a.name < b.name ? -1 : 1))[0];
}

function countJobs(state: SchedulerState): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { node } of state.active) if (node !== null) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}
