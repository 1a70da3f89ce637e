import { wakeEntitled } from './contenders.ts';
import { isElastic } from './job-class.ts';
import { at } from './quantities.ts';
import type { RunningJob } from './running-job.ts';
import { charge } from './scope-tree.ts';
import type { World } from './world.ts';

/** Charges a job whose places are taken, or takes the charge back: all that is known of who runs what follows it. */
export function book(state: World, job: RunningJob, sign: 1 | -1): void {
  charge(job.of.queue, job.amounts, job.of, sign);
  if (sign > 0) state.loans.started(job);
  else state.loans.ended(job);
  state.order?.used(job.of.queue);
  for (const stake of state.attention.usedOtherwise(job.of.queue)) wakeEntitled(state, stake);
  state.milliGpu += sign * at(job.amounts, 3);
  const array = job.of.template.array?.name;
  if (array !== undefined) state.arrays.set(array, (state.arrays.get(array) ?? 0) + sign);
  if (job.of.preemptible) {
    if (sign > 0) state.preemptible.add(job);
    else state.preemptible.delete(job);
  }
  if (state.policy.resizing === true && isElastic(job.of)) {
    if (sign > 0) state.elastic.add(job);
    else state.elastic.delete(job);
  }
  for (const { node } of job.pods) {
    const there = state.onNode.get(node) ?? new Set();
    if (sign > 0) there.add(job);
    else there.delete(job);
    state.onNode.set(node, there);
  }
}
