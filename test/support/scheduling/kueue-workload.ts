import type { WorkloadInput } from '../../../runtime/simulator/src/index.ts';

interface Kind {
  readonly name: string;
  readonly units: number;
  readonly count: number;
  readonly everyMs: number;
  readonly runMs: number;
  readonly priority: 'low' | 'normal' | 'high';
}

/**
 * A workload in the manner of Kueue's scalability tests: cohorts of queues with 20 units nominal each and 100 to borrow,
 * one unit a core. A cohort has what its queues have together. All jobs can be preempted, as there.
 */
function workload(title: string, cohorts: number, queues: number, kinds: readonly Kind[]): WorkloadInput {
  const cohortNames = Array.from({ length: cohorts }, (_, c) => `cohort-${c}`);
  const queueNames = cohortNames.flatMap((cohort) => Array.from({ length: queues }, (_, q) => `${cohort}/queue-${q}`));
  const cohortOf = (queue: string): string => queue.slice(0, queue.indexOf('/'));
  return {
    title,
    pools: [{ name: 'units' }],
    // Kueue's test knows quotas and no nodes: one node, in nobody's way.
    nodes: [{ name: 'node', pool: 'units', milliCpu: 1000 * 1000 * 1000, memoryMiB: 1, pods: 1_000_000 }],
    presets: kinds.map(({ name, units }) => ({ name, milliCpu: units * 1000, memoryMiB: 0, preemptible: true })),
    scopes: [
      ...cohortNames.map((name) => ({ name, kind: 'organization' as const, quota: { milliCpu: queues * 20_000 } })),
      ...queueNames.map((name) => ({
        name,
        parent: cohortOf(name),
        guarantee: { milliCpu: 20_000 },
        limit: { milliCpu: 120_000 },
      })),
    ],
    streams: queueNames.flatMap((queue) =>
      kinds.map(({ name, count, everyMs, runMs, priority }) => ({
        name: `${queue}/${name}`,
        queue,
        groups: [{ preset: name }],
        priority,
        runMs,
        everyMs,
        count,
      })),
    ),
  };
}

/** 5 cohorts × 6 queues, 15,000 jobs; the quota itself allows 66 s. */
export const baseline = workload('Kueue baseline', 5, 6, [
  { name: 'small', units: 1, count: 350, everyMs: 100, runMs: 200, priority: 'low' },
  { name: 'medium', units: 5, count: 100, everyMs: 500, runMs: 500, priority: 'normal' },
  { name: 'large', units: 20, count: 50, everyMs: 1200, runMs: 1000, priority: 'high' },
]);

/** 10 cohorts × 100 queues, 50,000 jobs. */
export const largeScale = workload('Kueue large scale', 10, 100, [
  { name: 'small', units: 1, count: 35, everyMs: 100, runMs: 200, priority: 'low' },
  { name: 'medium', units: 5, count: 10, everyMs: 500, runMs: 500, priority: 'normal' },
  { name: 'large', units: 20, count: 5, everyMs: 1200, runMs: 1000, priority: 'high' },
]);

/** Time that one queue's nominal quota needs for its own jobs: no scheduler ends before that. */
export function quotaBoundMs(given: WorkloadInput, queue: string): number {
  const unitMs = (given.streams ?? [])
    .filter((stream) => stream.queue === queue)
    .reduce((sum, { groups, count, runMs }) => {
      const preset = (given.presets ?? []).find(({ name }) => name === groups[0]?.preset);
      return sum + count * (typeof runMs === 'number' ? runMs : 0) * ((preset?.milliCpu ?? 0) / 1000);
    }, 0);
  return unitMs / 20;
}
