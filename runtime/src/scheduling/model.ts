import { z } from 'zod';

/*
 * What the scheduler decides on, as one plain JSON document (a snapshot): state in, decisions out. No clock and no
 * database is known here; every instant and length of time is in whole milliseconds, instants since any fixed origin.
 *
 *   scope   a place in the tree of organizations → projects → users. Its leaves are queues: jobs are submitted there.
 *   preset  what one replica asks of a node, as the administrator offers it.
 *   group   replicas of one preset. A job has one or several groups; with more than one replica it is a gang.
 *   quota   what all jobs of a scope may use at once, never more.
 *   limit   the same for what a scope may have with what it was lent; quota and limit hold both.
 *   guarantee   what a scope gets back in one cycle if it asks for it. What it leaves idle is lent.
 *   booking     nodes reserved for a scope over a window of time, by name. (`reservations` are the scheduler's own: what it
 *               keeps for the job that has waited longest.)
 *   claim       devices asked for by class, attributes and what they must have in common, as DRA does (resource.k8s.io/v1).
 */

const count = z.number().int().min(0);
const positive = z.number().int().positive();
/** Memory in MiB; bytes that are no whole number of them are a binary fraction, whose sums are exact as well. */
const mebibytes = z.number().min(0);
const name = z.string().min(1).max(300);
const labels = z.record(z.string(), z.string());

export const amounts = z.strictObject({
  jobs: count.optional(),
  milliCpu: count.optional(),
  memoryMiB: mebibytes.optional(),
  milliGpu: count.optional(),
  milliCreditsPerHour: count.optional(),
});

/** Which devices will do; left out: any. `attributes` are matched as a claim of DRA (resource.k8s.io/v1) matches them. */
const deviceFilter = {
  /** Extended resource, by which vendors are told apart: nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915. */
  resource: name.optional(),
  models: z.array(name).optional(),
  /** Memory that each device must have at least. */
  minMemoryMiB: positive.optional(),
  attributes: labels.optional(),
};

/**
 * How jobs share a device; left out: time-slice. All that share one device do it in the same way.
 *
 * time-slice: they take turns, and nothing keeps one from another's memory: a request by memory is booked, not enforced.
 * mps: they run side by side, each with its part of the threads and of the memory as a limit that the driver enforces;
 * a device serves at most 48 such clients.
 *
 * Sources: NVIDIA k8s-device-plugin, "Shared Access to GPUs" (one mode a device); NVIDIA Multi-Process Service guide
 * (CUDA_MPS_ACTIVE_THREAD_PERCENTAGE, CUDA_MPS_PINNED_DEVICE_MEM_LIMIT, 48 clients a device since Volta).
 */
export const sharing = z.enum(['time-slice', 'mps']);
export type Sharing = z.infer<typeof sharing>;

const attributeValue = z.union([z.string(), z.number(), z.boolean()]);

/** One condition on a device's attribute; without any of `in`, `notIn`, `atLeast`, `atMost`: it must be there. */
export const deviceSelector = z.strictObject({
  attribute: name,
  in: z.array(attributeValue).min(1).optional(),
  notIn: z.array(attributeValue).min(1).optional(),
  /** Numbers, also such as are written as text. */
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
});
export type DeviceSelector = z.infer<typeof deviceSelector>;

/** A DeviceClass: what the administrator calls by one name. */
export const deviceClass = z.strictObject({ name, selectors: z.array(deviceSelector).default([]) });
export type DeviceClass = z.infer<typeof deviceClass>;

/** Devices of one class within a claim. */
export const deviceRequest = z
  .strictObject({
    name,
    class: name,
    selectors: z.array(deviceSelector).default([]),
    allocationMode: z.enum(['ExactCount', 'All']).default('ExactCount'),
    /** ExactCount: so many. */
    count: positive.default(1),
    /**
     * All: every device of the node that matches, and none of them may be in use. It is charged for so many, and nodes
     * that have more do not suit: a quota is counted before a node is known.
     */
    upTo: positive.max(64).optional(),
  })
  .refine(({ allocationMode, upTo }) => (allocationMode === 'All') === (upTo !== undefined), {
    message: 'allocationMode All needs upTo, and nothing else has it',
    path: ['upTo'],
  });
export type DeviceRequest = z.infer<typeof deviceRequest>;

/** Devices of these requests (left out: of all) have one value of an attribute in common. */
export const matchAttribute = z.strictObject({ matchAttribute: name, requests: z.array(name).optional() });

export const gpuRequest = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('whole'), count: positive, ...deviceFilter }),
  /** Part of one device, in thousandths: of its time, or with MPS of its threads and memory. */
  z.strictObject({
    kind: z.literal('fraction'),
    milli: z.number().int().min(1).max(999),
    sharing: sharing.optional(),
    ...deviceFilter,
  }),
  /** Part of one device by its memory. */
  z.strictObject({ kind: z.literal('memory'), memoryMiB: positive, sharing: sharing.optional(), ...deviceFilter }),
  /** Whole devices of one node in the manner of a ResourceClaim. */
  z.strictObject({
    kind: z.literal('claim'),
    requests: z.array(deviceRequest).min(1).max(8),
    constraints: z.array(matchAttribute).max(4).default([]),
  }),
  /** MIG slices by their resource name, e.g. nvidia.com/mig-1g.10gb. */
  z.strictObject({ kind: z.literal('slice'), profile: name, count: positive }),
]);
export type GpuRequest = z.infer<typeof gpuRequest>;

export const preset = z.strictObject({
  name,
  milliCpu: count,
  memoryMiB: mebibytes,
  ephemeralMiB: count.default(0),
  gpu: gpuRequest.optional(),
  /** Node labels that must match. */
  selector: labels.default({}),
  /** Taints that do not keep it away. */
  tolerations: z.array(name).default([]),
  /** Pools that may hold it; empty: any. */
  pools: z.array(name).default([]),
  preemptible: z.boolean().default(false),
  /** Of one replica. */
  milliCreditsPerHour: count.default(0),
});
export type Preset = z.infer<typeof preset>;

export const pool = z.strictObject({
  name,
  /** A gang never spans clusters. */
  cluster: name.default('default'),
  labels: labels.default({}),
  taints: z.array(name).default([]),
});
export type Pool = z.infer<typeof pool>;

export const node = z.strictObject({
  name,
  pool: name,
  labels: labels.default({}),
  taints: z.array(name).default([]),
  zone: name.optional(),
  rack: name.optional(),
  /** Nodes whose GPUs reach each other by NVLink or its like. */
  nvlink: name.optional(),
  milliCpu: count,
  memoryMiB: mebibytes,
  ephemeralMiB: count.default(0),
  pods: count.default(110),
  gpu: z
    .strictObject({
      resource: name.default('nvidia.com/gpu'),
      model: name,
      count: positive.max(64),
      memoryMiB: positive,
      attributes: labels.default({}),
      /** What single devices have beside or instead of that, by their number: PCIe root, NUMA node, driver. */
      devices: z.array(z.strictObject({ attributes: labels })).optional(),
    })
    .optional(),
  /** MIG slices by their resource name. */
  slices: z.record(name, count).default({}),
  ready: z.boolean().default(true),
  /** Takes no new Pods. */
  cordoned: z.boolean().default(false),
  /** From then on it is cordoned and preemptible jobs are moved off; others only start if their life-span ends before. */
  drainAt: count.optional(),
});
export type Node = z.infer<typeof node>;

export const scope = z.strictObject({
  name,
  /** Left out: an organization at the top. */
  parent: name.optional(),
  kind: z.enum(['organization', 'project', 'user']).default('project'),
  weight: z.number().positive().default(1),
  quota: amounts.default({}),
  guarantee: amounts.default({}),
  limit: amounts.default({}),
  /** Decayed use of past time, in amounts, as of `usageAt`. Kept by the scheduler. */
  history: z.array(z.number().min(0)).optional(),
  historyAt: count.optional(),
});
export type Scope = z.infer<typeof scope>;

export const priority = z.enum(['low', 'normal', 'high']);
export type Priority = z.infer<typeof priority>;
export const LEVELS = ['node', 'nvlink', 'rack', 'zone', 'cluster'] as const;
export type Level = (typeof LEVELS)[number];

export const group = z
  .strictObject({
    preset: name,
    /** Replicas wished for. */
    count: positive.default(1),
    /** Replicas it can do with (elastic); left out: all. */
    min: positive.optional(),
  })
  .refine((given) => (given.min ?? given.count) <= given.count, {
    message: 'min must not exceed count',
    path: ['min'],
  });
export type Group = z.infer<typeof group>;

/** One Pod of a running job. */
export const podPlacement = z.strictObject({
  group: count,
  node: name,
  /** Devices by their number on the node. */
  gpus: z.array(count).default([]),
});
export type PodPlacement = z.infer<typeof podPlacement>;

export const job = z.strictObject({
  id: name,
  /** The scope it is submitted to: a leaf of the tree. */
  queue: name,
  priority: priority.default('normal'),
  submittedAt: count,
  groups: z.array(group).min(1),
  /** Longest time it may run; the bound that forecasts and backfill go by. */
  lifeSpanMs: positive.optional(),
  /** It is given up if it has not started so long after its submission. */
  scheduleTimeoutMs: positive.optional(),
  /** Pools the user allows; empty: any. */
  pools: z.array(name).default([]),
  /** Volumes it mounts. */
  volumes: z.array(name).default([]),
  /** All its replicas must lie in one such domain. */
  within: z.enum(LEVELS).optional(),
  /** The array it belongs to, and how many of that run at once. */
  array: z.strictObject({ name, maxRunning: positive.optional() }).optional(),
  /** It ran and was preempted: it waits again, and its schedule timeout is over. */
  suspended: z.boolean().default(false),
  running: z
    .strictObject({
      startedAt: count,
      pods: z.array(podPlacement).min(1),
      /** When replicas were last added to it while it ran. */
      grewAt: count.optional(),
    })
    .optional(),
});
export type Job = z.infer<typeof job>;

export const volume = z.strictObject({ name, zone: name });
export type Volume = z.infer<typeof volume>;

/** Each field names one replaceable piece; what is off is left out of the decision. */
export const policy = z.strictObject({
  /** How nodes are chosen for one Pod. */
  placement: z.string().default('best-fit'),
  /** What is commonly asked for, in proportion, for placements that look ahead; left out: every preset alike. */
  demand: z.array(z.strictObject({ preset: name, weight: z.number().positive() })).optional(),
  /** all-or-nothing: a gang starts whole or not at all; pod-by-pod: as kube-scheduler does it. */
  gangs: z.enum(['all-or-nothing', 'pod-by-pod']).default('all-or-nothing'),
  /** fewest-domains: a gang lies as close together as it can; ignore: node by node in order of their score. */
  topology: z.enum(['fewest-domains', 'ignore']).default('fewest-domains'),
  /** drf: weighted dominant share, level by level; submission: oldest first. */
  order: z.enum(['drf', 'submission']).default('drf'),
  /** Half-life of past use; 0: only what runs now counts. */
  historyHalfLifeMs: count.default(0),
  /** Weight of past use beside what runs now. */
  historyWeight: z.number().min(0).default(1),
  quotas: z.boolean().default(true),
  /** Guaranteed scopes get back what was lent. */
  reclaim: z.boolean().default(true),
  /** Within a project, preemptible jobs give way to those of higher priority. */
  preemption: z.boolean().default(true),
  /** So long after its start nobody preempts a job. */
  minRunMs: count.default(0),
  /** A job that has waited so long for room has nodes kept for it, one that has waited so long for a quota what is freed of that; left out: never. */
  reserveAfterMs: count.optional(),
  /** Jobs whose life-span ends before a reservation is due may use its nodes until then. */
  backfill: z.boolean().default(true),
  /**
   * Preemptible jobs are moved to other nodes where that makes room for one that waits, if what it does in the next
   * `horizonMs`, or until it would start by itself, is more than what they lose. Left out: never.
   */
  consolidation: z.strictObject({ horizonMs: positive.default(3_600_000) }).optional(),
  /**
   * Running elastic gangs grow to what they wish for when nobody else can use the room, and give replicas above their
   * minimum to who waits before anybody is preempted. Left out: their size is that of their start.
   */
  resizing: z.boolean().optional(),
  /** Times at which fewer GPUs may run than there are. */
  energyWindows: z.array(z.strictObject({ from: count, until: count, maxMilliGpu: count })).default([]),
});
export type Policy = z.infer<typeof policy>;

/** What the scheduler keeps for a job that has waited long: nodes, or with `scope` what is freed of that scope's quota. */
export const reservation = z.strictObject({
  job: name,
  nodes: z.array(name),
  due: count.optional(),
  scope: name.optional(),
});
export type Reservation = z.infer<typeof reservation>;

/** Nodes for the jobs of one scope and those below it. Others run there only if their life-span ends before `from`. */
export const booking = z
  .strictObject({ name, scope: name, nodes: z.array(name).min(1), from: count, until: count })
  .refine(({ from, until }) => from < until, { message: 'until must be after from', path: ['until'] });
export type Booking = z.infer<typeof booking>;

export const snapshot = z.strictObject({
  version: z.literal(1).default(1),
  now: count.default(0),
  policy: policy.prefault({}),
  pools: z.array(pool).default([]),
  nodes: z.array(node).default([]),
  presets: z.array(preset).default([]),
  scopes: z.array(scope).default([]),
  volumes: z.array(volume).default([]),
  jobs: z.array(job).default([]),
  reservations: z.array(reservation).default([]),
  bookings: z.array(booking).optional(),
  deviceClasses: z.array(deviceClass).optional(),
});
export type Snapshot = z.infer<typeof snapshot>;
export type SnapshotInput = z.input<typeof snapshot>;
