import type { NodeTable } from './node-table.ts';
import type { RunningJob } from './running-job.ts';
import { charge } from './scope-tree.ts';
import type { World } from './world.ts';

/**
 * Takes a running job away for a question (-1), or puts it back (1): its places and what it is charged, but nobody is
 * woken and no past use is recorded. The caller leaves everything as it was.
 */
export function moveForTrial(state: World, job: RunningJob, sign: 1 | -1): void {
  for (const { group, node, gpus } of job.pods) {
    const shape = job.of.groups[group]?.shape;
    if (shape === undefined) continue;
    if (sign > 0) state.nodes.take(node, shape, gpus);
    else state.nodes.release(node, shape, gpus);
  }
  charge(job.of.queue, job.amounts, job.of, sign);
  state.milliGpu += sign * (job.amounts[3] ?? 0);
  const array = job.of.template.array?.name;
  if (array !== undefined) state.arrays.set(array, (state.arrays.get(array) ?? 0) + sign);
}

/** The same for what a job has on one node, and there for its places alone. */
export function moveOnNode(nodes: NodeTable, on: number, job: RunningJob, sign: 1 | -1): void {
  for (const { group, node, gpus } of job.pods) {
    const shape = job.of.groups[group]?.shape;
    if (node !== on || shape === undefined) continue;
    if (sign > 0) nodes.take(node, shape, gpus);
    else nodes.release(node, shape, gpus);
  }
}
