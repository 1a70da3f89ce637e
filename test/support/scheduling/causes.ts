import type { Job, NodeCause, Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { presetOf } from './quotas.ts';
import { choices, drainsBefore, isKept, isReserved, type Rest, suits } from './room.ts';

/* Of the checker: everything that is true of a node and keeps one replica of a job from it. */

/** All causes, of which the scheduler tells one; empty: it has room. */
export function causesOf(world: Snapshot, job: Job, group: number, rest: Rest): readonly NodeCause[] {
  const preset = presetOf(world, job.groups[group]?.preset ?? '');
  const { node } = rest;
  /** Whether the job would suit the node if it asked for no more than one thing. */
  const minds = (change: Partial<Job>, asks: Partial<typeof preset>): boolean => {
    const nothing = { pools: [], volumes: [], ...change };
    const bare = { ...preset, pools: [], selector: {}, gpu: undefined, tolerations: taintsOf(world, rest), ...asks };
    return !suits(world, { ...job, ...nothing }, bare, node);
  };
  const all: readonly (readonly [NodeCause, boolean])[] = [
    ['not-ready', !node.ready],
    ['cordoned', node.cordoned],
    ['drained', node.drainAt !== undefined && node.drainAt <= world.now],
    ['pool', minds({ pools: job.pools }, {}) || minds({}, { pools: preset.pools })],
    ['zone', minds({ volumes: job.volumes }, {})],
    ['selector', minds({}, { selector: preset.selector })],
    ['taint', minds({}, { tolerations: preset.tolerations })],
    ['gpu-model', minds({}, { gpu: preset.gpu })],
    ['gpu', !hasDevices(world, rest, preset) && (!isShared(preset) || !hasDevices(world, rest, preset, true))],
    ['gpu-sharing', isShared(preset) && !hasDevices(world, rest, preset) && hasDevices(world, rest, preset, true)],
    ['memory', rest.memory < preset.memoryMiB],
    ['cpu', rest.cpu < preset.milliCpu],
    ['ephemeral', rest.ephemeral < preset.ephemeralMiB],
    ['pods', rest.pods < 1],
    ['booked', isReserved(world, job, node)],
    ['reserved', drainsBefore(world, job, node) || isKept(world, job, node)],
  ];
  return all.filter(([, holds]) => holds).map(([cause]) => cause);
}

type Preset = ReturnType<typeof presetOf>;

function taintsOf(world: Snapshot, { node }: Rest): string[] {
  return [...node.taints, ...(world.pools.find(({ name }) => name === node.pool)?.taints ?? [])];
}

const isShared = ({ gpu }: Preset): boolean => gpu?.kind === 'fraction' || gpu?.kind === 'memory';

/** Whether devices or slices are left for one replica; `anyhow`: though they are shared in another way. */
function hasDevices(world: Snapshot, rest: Rest, preset: Preset, anyhow = false): boolean {
  const { gpu } = preset;
  if (gpu?.kind === 'slice') return (rest.slices.get(gpu.profile) ?? 0) >= gpu.count;
  if (gpu?.kind !== 'fraction' && gpu?.kind !== 'memory') return choices(world, rest, preset, true).length > 0;
  const other = (gpu.sharing ?? 'time-slice') === 'mps' ? 'time-slice' : 'mps';
  const part =
    gpu.kind === 'fraction' ? gpu.milli : Math.ceil((1000 * gpu.memoryMiB) / (rest.node.gpu?.memoryMiB ?? 1));
  return rest.devices.some((free, device) => free >= part && (anyhow || rest.sharers[device]?.[other] === 0));
}
