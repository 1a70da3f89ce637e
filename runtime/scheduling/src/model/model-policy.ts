import { z } from 'zod';
import { count, name, positive } from './model-fields.ts';

const energyWindow = z
  .strictObject({ from: count, until: count, maxMilliGpu: count })
  .refine(({ from, until }) => from < until, { message: 'until must be after from', path: ['until'] });

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
  /** Within a project, jobs of higher priority preempt preemptible ones. */
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
  energyWindows: z.array(energyWindow).default([]),
});
export type Policy = z.infer<typeof policy>;
