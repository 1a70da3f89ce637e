import { at } from '../model/quantities.ts';
import { wakeEntitled } from '../waking/contenders.ts';
import { wakeForRoom } from '../waking/wakes.ts';
import { isElastic } from './job-class.ts';
import type { RunningJob } from './running-job.ts';
import { charge } from './scope-tree.ts';
import type { World } from './world.ts';

/** Charges a job whose places are taken, or takes the charge back: all that is known of who runs what follows it. */
export function book(state: World, job: RunningJob, sign: 1 | -1): void {
  charge(job.of.queue, job.amounts, job.of, sign);
  if (sign > 0) state.loans.started(job);
  else state.loans.ended(job);
  state.order?.used(job.of.queue);
  const { held } = state;
  const heldWithin = held?.of.stakes[0]?.within;
  const gained = state.attention.usedOtherwise(job.of.queue);
  for (const stake of gained) wakeEntitled(state, stake);
  // What is kept is not kept from those who lie within their guarantee, unless for one who does so too.
  if (held !== undefined && (gained.length > 0 || held.of.stakes[0]?.within !== heldWithin)) {
    for (const node of held.nodes) wakeForRoom(state, node);
  }
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
