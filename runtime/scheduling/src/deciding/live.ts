import type { Job, Pool, Preset, Snapshot } from '../model/model.ts';
import type { Pod } from '../policies/gang-request.ts';
import type { JobClass } from '../state/entities.ts';
import { guard } from '../waking/guards.ts';
import { wakeForRoom } from '../waking/wakes.ts';
import type { Scheduler } from './scheduler.ts';
import { snapshotOf } from './snapshot.ts';

/*
 * What a service needs beside events that follows a real cluster: there, somebody else carries decisions out, and what it
 * did is seen later.
 */

/** The whole state as `snapshotOf` tells it, marked as seen: what overfills a node there is no mistake. */
export function observedSnapshot(scheduler: Scheduler): Snapshot {
  return { ...snapshotOf(scheduler), observed: true };
}

/** A pool is new, or another than it was; its nodes are as they were until they are put again. */
export function putPool({ state }: Scheduler, pool: Pool): void {
  state.touches.begin();
  state.pools.set(pool.name, pool);
}

/** A preset is new. @throws RangeError where there is one of that name: what jobs ask for does not change under them */
export function addPreset({ state }: Scheduler, preset: Preset): void {
  if (state.presets.has(preset.name)) throw new RangeError(`there is a preset ${preset.name} already`);
  state.touches.begin();
  state.presets.set(preset.name, preset);
  state.forgetPlacement();
}

/**
 * A running job is where it is, and since when, whatever was decided. Nobody is woken for a later start. Devices that are not
 * told are any that are free.
 * @returns false where it does not run
 * @throws RangeError where a node is not known or its replicas are not those that it started with
 */
export function relocate({ state }: Scheduler, id: string, running: NonNullable<Job['running']>): boolean {
  state.touches.begin();
  const slot = state.jobs.slotOf(id);
  const job = slot === undefined ? undefined : state.running.get(slot);
  if (job === undefined) return false;
  const places = running.pods.map(({ group, node, gpus }) => ({ group, node: state.nodes.numberOf(node), gpus }));
  const sizes = job.sizes.map((_, g) => places.filter(({ group }) => group === g).length);
  if (sizes.some((size, g) => size !== job.sizes[g])) throw new RangeError(`job ${id} has other replicas`);
  const before = new Set(job.pods.map(({ node }) => node));
  const shapeOf = (group: number): JobClass['groups'][number]['shape'] =>
    (job.of.groups[group] as JobClass['groups'][number]).shape;
  for (const { node } of places) if (node === undefined) throw new RangeError(`job ${id} runs on an unknown node`);
  state.touches.job(id);
  for (const { group, node, gpus } of job.pods) state.nodes.release(node, shapeOf(group), gpus);
  const pods = places.map(({ group, node = -1, gpus }): Pod => {
    return { group, node, gpus: state.nodes.take(node, shapeOf(group), gpus.length === 0 ? undefined : gpus) };
  });
  for (const node of before) state.onNode.get(node)?.delete(job);
  // In place: it is the same job in every set that it is in, and it is charged what it was.
  state.loans.ended(job);
  Object.assign(job, { startedAt: running.startedAt, pods });
  state.loans.started(job);
  guard(state, job);
  for (const { node } of pods) {
    const there = state.onNode.get(node) ?? new Set();
    state.onNode.set(node, there.add(job));
    before.delete(node);
  }
  for (const node of before) wakeForRoom(state, node);
  return true;
}

/** Whole devices of a node that nobody uses, so many at most. */
export function freeDevices({ state: { nodes } }: Scheduler, name: string, most: number): readonly number[] {
  const node = nodes.numberOf(name);
  const free: number[] = [];
  const devices = node === undefined ? 0 : (nodes.specs[node]?.gpu?.count ?? 0);
  for (let device = 0; device < devices && free.length < most; device += 1) {
    if (nodes.freeMilli(node ?? 0, device) === 1000) free.push(device);
  }
  return free;
}

/** Room for one replica of a preset on nodes of some pools (none named: of any), as things are; whatever the quotas. */
export interface Room {
  /** The node that a replica would go to by the placement policy; undefined: there is no room. */
  readonly node: string | undefined;
  /** How many replicas have room at once. */
  readonly replicas: number;
}

/** @throws RangeError where the preset is not known */
export function roomFor({ state }: Scheduler, presetName: string, pools: readonly string[]): Room {
  const preset = state.presets.get(presetName);
  if (preset === undefined) throw new RangeError(`there is no preset ${presetName}`);
  const index = state.indexOf(preset, { pools });
  const best = index.best(state.now);
  let replicas = 0;
  for (let node = 0; node < state.nodes.size; node += 1) {
    if (index.accepted(node) && !state.closed.has(node)) replicas += state.nodes.count(node, index.shape);
  }
  return { node: best < 0 ? undefined : state.nodes.name(best), replicas };
}
