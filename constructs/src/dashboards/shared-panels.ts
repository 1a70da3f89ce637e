import type { Panel } from '../base/metrics.ts';

/** How busy each node is: for the page of nodes, and for that of the service that tells it. */
export const NODE_PANELS: readonly Panel[] = [
  {
    title: 'Processors in use',
    unit: 'ratio',
    series: [{ expr: 'node:cpu_used:ratio5m', legend: '{{node}}' }],
  },
  {
    title: 'Memory in use',
    unit: 'ratio',
    series: [{ expr: 'node:memory_used:ratio', legend: '{{node}}' }],
  },
  {
    title: 'Disk in use',
    unit: 'ratio',
    series: [{ expr: 'node:disk_used:ratio', legend: '{{node}}' }],
  },
];

/** What the scheduler decides, for its own page and that of jobs. */
export const DECISIONS_PANEL: Panel = {
  title: 'Decisions',
  unit: 'per-second',
  series: [
    { expr: 'sum(rate(delos_scheduler_admitted_total[5m]))', legend: 'admitted' },
    { expr: 'sum(rate(delos_scheduler_preempted_total[5m]))', legend: 'preempted' },
  ],
};

/** How long the scheduler takes to decide, for its own page and that of jobs. */
export const ROUNDS_PANEL: Panel = {
  title: 'Rounds: slowest of a hundred',
  unit: 'seconds',
  series: [{ expr: 'job:delos_scheduler_round_seconds:p99_5m', legend: 'p99' }],
};
