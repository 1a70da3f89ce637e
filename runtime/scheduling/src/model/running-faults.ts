import type { Job, Node, PodPlacement, Preset, Snapshot } from './model.ts';
import { RunningTotals } from './running-totals.ts';
import { type Shape, shapeOf } from './shapes.ts';
import { type Known, later, type Path, reference, type SnapshotFault } from './snapshot-fault.ts';

/**
 * What cannot be of running jobs: places that are not there, devices that the preset does not take or that are taken, more on
 * a node than it has, starts to come. In an observed snapshot a node may be overfull, a device missing and a clock ahead.
 */
export function runningFaults(
  { jobs, nodes, now, observed = false }: Snapshot,
  known: Known,
): readonly SnapshotFault[] {
  const totals = new RunningTotals(nodes);
  const shapes = new Map<string, Shape | undefined>();
  const shapeFor = (preset: Preset): Shape | undefined => {
    if (!shapes.has(preset.name)) shapes.set(preset.name, tryShape(preset, known));
    return shapes.get(preset.name);
  };
  return jobs.flatMap((job, j) => {
    if (job.running === undefined) return [];
    const path = ['jobs', j, 'running'];
    const faults = observed ? [] : timeFaults(job.running, now, path);
    for (const [p, pod] of job.running.pods.entries()) {
      const place = [...path, 'pods', p];
      const node = known.nodes.get(pod.node);
      const preset = known.presets.get(job.groups[pod.group]?.preset ?? '');
      const shape = preset === undefined ? undefined : shapeFor(preset);
      faults.push(...placeFaults(job, pod, place, known));
      if (node === undefined || shape === undefined) continue;
      faults.push(...countFaults(pod, shape, [...place, 'gpus'], observed));
      if (!observed) faults.push(...totals.take(node, shape, [...place, 'node']));
      for (const [g, device] of pod.gpus.entries()) {
        const at = [...place, 'gpus', g];
        const own = deviceFault(pod, node, g, at);
        faults.push(...(own === undefined ? totals.takeDevice(node, shape, { device, job: job.id }, at) : [own]));
      }
    }
    return faults;
  });
}

/** Undefined where the preset's claim names a class that is not known, which is told elsewhere. */
function tryShape(preset: Preset, { classes }: Known): Shape | undefined {
  const unknown = preset.gpu?.kind === 'claim' && preset.gpu.requests.some((request) => !classes.has(request.class));
  return unknown ? undefined : shapeOf(preset, { pools: [] }, classes);
}

function timeFaults({ startedAt, grewAt = 0 }: NonNullable<Job['running']>, now: number, path: Path): SnapshotFault[] {
  return [
    ...(startedAt > now ? [later([...path, 'startedAt'], startedAt, now)] : []),
    ...(grewAt > now ? [later([...path, 'grewAt'], grewAt, now)] : []),
  ];
}

function placeFaults(job: Job, { group, node }: PodPlacement, path: Path, known: Known): readonly SnapshotFault[] {
  const message = `job ${job.id} has no group ${group}`;
  return [
    ...reference([...path, 'node'], 'node', node, known.nodes),
    ...(job.groups[group] === undefined
      ? [{ path: [...path, 'group'], message, hint: 'groups are counted from 0' }]
      : []),
  ];
}

/** As many devices as the preset takes. */
function countFaults({ gpus }: PodPlacement, shape: Shape, path: Path, mayLack: boolean): readonly SnapshotFault[] {
  const { least, most } = devicesOf(shape);
  const fits = gpus.length <= most && (gpus.length >= least || mayLack);
  if (fits) return [];
  const takes = least === most ? `${most}` : `${least} to ${most}`;
  return [
    {
      path,
      message: `preset ${shape.preset.name} takes ${takes} numbered ${most === 1 ? 'device' : 'devices'}, found ${gpus.length}`,
      hint: most === 0 ? 'leave them out' : 'name each by its number on the node, counted from 0',
    },
  ];
}

/** Numbered devices that one replica takes: slices are counted only, and a claim for all takes what there is. */
function devicesOf({ gpu }: Shape): { readonly least: number; readonly most: number } {
  switch (gpu.kind) {
    case 'none':
    case 'slice':
      return { least: 0, most: 0 };
    case 'whole':
      return { least: gpu.count, most: gpu.count };
    case 'fraction':
    case 'memory':
      return { least: 1, most: 1 };
    case 'claim': {
      const sum = (counts: readonly number[]): number => counts.reduce((total, each) => total + each, 0);
      const { requests } = gpu.claim;
      return {
        least: sum(requests.map(({ all, count }) => (all ? 1 : count))),
        most: sum(requests.map(({ count }) => count)),
      };
    }
  }
}

/** A number that no device of the node has, or that stands there twice. */
function deviceFault({ gpus }: PodPlacement, node: Node, g: number, path: Path): SnapshotFault | undefined {
  const device = gpus[g] as number;
  const has = node.gpu?.count ?? 0;
  if (device >= has) {
    const hint = has === 0 ? 'it has none' : `it has ${has}, counted from 0`;
    return { path, message: `node ${node.name} has no device ${device}`, hint };
  }
  if (!gpus.slice(0, g).includes(device)) return undefined;
  return { path, message: `device ${device} is named twice`, hint: 'one replica takes each device once' };
}
