import * as model from '@delos/scheduling';
import { z } from 'zod';

/*
 * What happens to a cluster over time: the world (nodes, presets, scopes, policy) and what arrives, ends and fails in it.
 * Instants and lengths of time are whole milliseconds from the start of the simulation.
 */

const count = z.number().int().min(0);
const positive = z.number().int().positive();

/** How long jobs run: always the same, or drawn from an exponential distribution of that mean. */
export const duration = z.union([positive, z.strictObject({ mean: positive })]);

const request = {
  queue: z.string(),
  groups: z.array(model.group).min(1),
  priority: model.priority.default('normal'),
  runMs: duration,
  lifeSpanMs: positive.optional(),
  scheduleTimeoutMs: positive.optional(),
  pools: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  within: z.enum(model.LEVELS).optional(),
  array: model.array.optional(),
};

export const workloadJob = z.strictObject({ id: z.string().min(1), at: count, ...request });

/** Jobs of one kind that arrive one after another. */
export const stream = z.strictObject({
  name: z.string().min(1),
  ...request,
  from: count.default(0),
  /** Between two arrivals: always the same, or drawn from an exponential distribution of that mean. */
  everyMs: z.union([count, z.strictObject({ mean: positive })]),
  count: positive,
});

export const workload = z.strictObject({
  title: z.string().default('workload'),
  seed: z.number().int().default(1),
  policy: model.policy.prefault({}),
  pools: z.array(model.pool).default([]),
  /** With `replicas` so many alike, NAME-0, NAME-1, … */
  nodes: z.array(model.node.extend({ replicas: positive.optional() })).default([]),
  presets: z.array(model.preset).default([]),
  scopes: z.array(model.scope).default([]),
  volumes: z.array(model.volume).default([]),
  bookings: z.array(model.booking).optional(),
  deviceClasses: z.array(model.deviceClass).optional(),
  jobs: z.array(workloadJob).default([]),
  streams: z.array(stream).default([]),
  /** Nodes that are lost, and how long. */
  failures: z.array(z.strictObject({ node: z.string(), at: count, forMs: positive })).default([]),
  /** The simulation ends then even if jobs wait; left out: when nothing can happen any more. */
  until: positive.optional(),
});
export type Workload = z.infer<typeof workload>;
export type WorkloadInput = z.input<typeof workload>;

/** A job of a simulation and how long it would run. */
export interface SimulatedJob {
  readonly job: model.Job;
  readonly runMs: number;
}

/** The world at the start, and the jobs in the order of their arrival. */
export interface Expanded {
  readonly world: model.Snapshot;
  readonly jobs: readonly SimulatedJob[];
}

/** The world before anything has arrived, with these nodes. */
export function worldOf(
  { policy, pools, presets, scopes, volumes, bookings, deviceClasses }: Workload,
  nodes: readonly model.Node[],
): model.Snapshot {
  return {
    version: 1,
    now: 0,
    policy,
    pools,
    nodes: [...nodes],
    presets,
    scopes,
    volumes,
    jobs: [],
    reservations: [],
    ...(bookings === undefined ? {} : { bookings }),
    ...(deviceClasses === undefined ? {} : { deviceClasses }),
  };
}

/** Draws every arrival and run time; the same seed gives the same ones. `draw` gives numbers in [0, 1). */
export function expand(given: Workload, draw: () => number): Expanded {
  const nodes = given.nodes.flatMap(({ replicas, ...node }) =>
    replicas === undefined
      ? [node]
      : Array.from({ length: replicas }, (_, n) => ({ ...node, name: `${node.name}-${n}` })),
  );
  const exponential = (mean: number): number => Math.max(1, Math.round(-mean * Math.log(1 - draw())));
  const length = (of: z.infer<typeof duration>): number => (typeof of === 'number' ? of : exponential(of.mean));
  const jobs: SimulatedJob[] = [];
  const add = (id: string, at: number, { runMs, ...rest }: Omit<Workload['jobs'][number], 'id' | 'at'>): void => {
    const lasts = length(runMs);
    const { queue, groups, priority, lifeSpanMs, scheduleTimeoutMs, pools, volumes, within, array } = rest;
    jobs.push({
      job: {
        id,
        submittedAt: at,
        queue,
        groups,
        priority,
        pools,
        volumes,
        suspended: false,
        ...(lifeSpanMs === undefined ? {} : { lifeSpanMs }),
        ...(scheduleTimeoutMs === undefined ? {} : { scheduleTimeoutMs }),
        ...(within === undefined ? {} : { within }),
        ...(array === undefined ? {} : { array }),
      },
      // What runs longer than its life-span is ended by it.
      runMs: Math.min(lasts, lifeSpanMs ?? Infinity),
    });
  };
  for (const { id, at, ...rest } of given.jobs) add(id, at, rest);
  for (const { name, from, everyMs, count: number, ...rest } of given.streams) {
    let at = from;
    for (let n = 0; n < number; n += 1) {
      add(`${name}-${n}`, at, rest);
      at += typeof everyMs === 'number' ? everyMs : exponential(everyMs.mean);
    }
  }
  jobs.sort((a, b) => a.job.submittedAt - b.job.submittedAt || (a.job.id < b.job.id ? -1 : 1));
  return { world: worldOf(given, nodes), jobs };
}

/** A workload laid over another: lists are merged by name (jobs by id), what has a name already is changed field by field. */
export function overlay(base: unknown, over: unknown): unknown {
  if (!isRecord(base) || !isRecord(over)) return over ?? base;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    if (Array.isArray(before) && Array.isArray(value)) merged[key] = mergeNamed(before, value);
    else merged[key] = isRecord(before) && isRecord(value) ? { ...before, ...value } : value;
  }
  return merged;
}

function mergeNamed(base: readonly unknown[], over: readonly unknown[]): readonly unknown[] {
  const result = [...base];
  for (const each of over) {
    const at = isRecord(each) ? result.findIndex((other) => isRecord(other) && nameOf(other) === nameOf(each)) : -1;
    if (at < 0 || !isRecord(each) || nameOf(each) === undefined) result.push(each);
    else result[at] = { ...(result[at] as object), ...each };
  }
  return result;
}

function nameOf(thing: Readonly<Record<string, unknown>>): unknown {
  return thing.name ?? thing.id;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
