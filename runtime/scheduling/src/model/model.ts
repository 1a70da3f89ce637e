import { z } from 'zod';
import { deviceClass, gpuRequest } from './model-devices.ts';
import { count, labels, mebibytes, name, positive } from './model-fields.ts';
import { policy } from './model-policy.ts';

export * from './model-devices.ts';
export * from './model-policy.ts';

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

export const amounts = z.strictObject({
  jobs: count.optional(),
  milliCpu: count.optional(),
  memoryMiB: mebibytes.optional(),
  milliGpu: count.optional(),
  milliCreditsPerHour: count.optional(),
});

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
  /** person: whoever has several users' places in an organization; only its quota counts, and no scope lies in it. */
  kind: z.enum(['organization', 'project', 'user', 'person']).default('project'),
  /** Of a user's place: the scope of kind person whose quota holds for it beside those above it. */
  person: name.optional(),
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

/** Jobs submitted together, of which so many run at once. */
export const array = z.strictObject({ name, maxRunning: positive.optional() });

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
  /** Nodes that may hold it, by name; left out: any. A name need not be that of a node that is there. */
  nodes: z.array(name).optional(),
  /** Volumes it mounts. */
  volumes: z.array(name).default([]),
  /** All its replicas must lie in one such domain. */
  within: z.enum(LEVELS).optional(),
  /** The array it belongs to. */
  array: array.optional(),
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
  /**
   * Seen of a real cluster, where a node may have become smaller than what runs on it, and clocks differ. Left out: that is a
   * mistake.
   */
  observed: z.boolean().optional(),
});
export type Snapshot = z.infer<typeof snapshot>;
export type SnapshotInput = z.input<typeof snapshot>;
