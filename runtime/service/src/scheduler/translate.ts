import { GPU_KINDS, type JobPodSpec, type Quota } from '@delos/core';
import type { Amounts, Job, Node, Preset, Priority } from '@delos/scheduling';
import type { PlannedJob, ReportedNode } from './planned.ts';
import { diskNodes } from './planner-disks.ts';

/*
 * Rows, configuration and node reports in the words of the scheduler's core. Cores become milli-CPU; bytes become MiB
 * without rounding (a division by 2^20 is exact), so that what fits by the byte fits.
 */

const MIB = 2 ** 20;
/** Resources that jobs ask for as devices, in the order in which one is a node's own. */
const DEVICES: readonly string[] = Object.values(GPU_KINDS).map(({ resource }) => resource);
/** The core numbers so many devices of a node; of a resource of which some node has more, only the number is kept. */
const NUMBERED_DEVICES = 64;

export interface CatalogueEntry {
  readonly name: string;
  readonly resources: JobPodSpec['resources'];
  readonly pools: readonly string[];
  readonly preemptible: boolean;
}

/**
 * Resources that are only counted: the core gives a node numbered devices of one kind, so a second vendor's beside them, and
 * more than it can number, are kept as amounts. One of them is counted on every node.
 */
export function countedResources(reports: Iterable<ReportedNode>): ReadonlySet<string> {
  const counted = new Set<string>();
  for (const { extended } of reports) {
    let first = true;
    for (const resource of DEVICES) {
      const devices = extended[resource] ?? 0;
      if (devices === 0) continue;
      if (!first || devices > NUMBERED_DEVICES) counted.add(resource);
      first = false;
    }
  }
  return counted;
}

export function nodeOf(report: ReportedNode, pool: string, counted: ReadonlySet<string>): Node {
  const own = DEVICES.find((resource) => !counted.has(resource) && (report.extended[resource] ?? 0) > 0);
  return {
    name: report.name,
    pool,
    labels: {},
    taints: [...(report.taints ?? [])],
    milliCpu: Math.floor(report.cpu * 1000 + 1e-6),
    memoryMiB: report.memory / MIB,
    ephemeralMiB: 0,
    pods: report.pods,
    gpu:
      own === undefined
        ? undefined
        : // Reports tell neither model nor memory, and no preset asks for either.
          { resource: own, model: own, count: report.extended[own] ?? 0, memoryMiB: 1, attributes: {} },
    slices: Object.fromEntries([...counted].map((resource) => [resource, report.extended[resource] ?? 0])),
    ready: report.ready,
    cordoned: !report.schedulable,
  };
}

/**
 * What a job asks for, as a preset whose name says all of it: jobs keep what they were submitted with when the
 * administrator changes the catalogue. What is in the catalogue has its name.
 */
export function presetOf(
  { preset, resources, pools, preemptible }: Pick<PlannedJob, 'preset' | 'resources' | 'pools' | 'preemptible'>,
  catalogue: ReadonlyMap<string, CatalogueEntry>,
  counted: ReadonlySet<string>,
): Preset {
  const listed = catalogue.get(preset);
  const same =
    listed !== undefined &&
    sameNeeds(listed.resources, resources) &&
    listed.preemptible === preemptible &&
    JSON.stringify(listed.pools) === JSON.stringify(pools);
  // Of one vendor: the configuration refuses presets that ask for more, and jobs ask for no more than a preset has.
  const [device] = Object.entries(resources.extended);
  return {
    name: same ? preset : described(preset, resources, pools, preemptible),
    milliCpu: Math.ceil(resources.cpu * 1000 - 1e-6),
    memoryMiB: resources.memory / MIB,
    ephemeralMiB: 0,
    gpu:
      device === undefined
        ? undefined
        : counted.has(device[0])
          ? { kind: 'slice', profile: device[0], count: device[1] }
          : { kind: 'whole', resource: device[0], count: device[1] },
    selector: {},
    // As the agent writes them into the Pod.
    tolerations: Object.keys(resources.extended),
    pools: [...pools],
    preemptible,
    milliCreditsPerHour: 0,
  };
}

export function amountsOfQuota({ runningJobs, cpu, memory, gpu }: Quota): Amounts {
  return {
    jobs: runningJobs,
    milliCpu: cpu === undefined ? undefined : Math.floor(cpu * 1000 + 1e-6),
    memoryMiB: memory === undefined ? undefined : memory / MIB,
    milliGpu: gpu === undefined ? undefined : gpu * 1000,
  };
}

/** A job as it is submitted to the core. */
export function entryOf(job: PlannedJob, preset: string, queue: string): Job {
  return {
    id: job.id,
    queue,
    priority: priorityOf(job.priority),
    submittedAt: job.createdAt.getTime(),
    groups: [{ preset, count: 1 }],
    lifeSpanMs: job.lifeSpanMinutes === null ? undefined : Math.max(1, Math.round(job.lifeSpanMinutes * 60_000)),
    pools: [],
    nodes: diskNodes(job),
    volumes: [],
    suspended: job.active === undefined && job.run > 0,
  };
}

/** Of -1, 0, 1. */
function priorityOf(priority: number): Priority {
  return priority < 0 ? 'low' : priority > 0 ? 'high' : 'normal';
}

function sameNeeds(a: JobPodSpec['resources'], b: JobPodSpec['resources']): boolean {
  const devices = (of: JobPodSpec['resources']): string => JSON.stringify(Object.entries(of.extended).sort());
  return a.cpu === b.cpu && a.memory === b.memory && devices(a) === devices(b);
}

function described(
  preset: string,
  { cpu, memory, extended }: JobPodSpec['resources'],
  pools: readonly string[],
  preemptible: boolean,
): string {
  const devices = Object.entries(extended);
  const has = [
    `${cpu} ${cpu === 1 ? 'core' : 'cores'}`,
    `${memory / MIB} MiB`,
    ...devices.map(([resource, count]) => `${count} ${resource}`),
    ...(preemptible ? ['preemptible'] : []),
  ];
  const where = pools.length === 0 ? '' : ` in ${pools.join(' or ')}`;
  return `${preset} (${has.join(', ')}${where})`;
}
