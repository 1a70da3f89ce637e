import type { Dashboard } from '../base/metrics.ts';

/** Jobs of all projects, and the queue. */
export const jobs: Dashboard = {
  name: 'jobs',
  title: 'Jobs and queue',
  idea: 'How many jobs run and wait, why they wait, and how fast the scheduler decides',
  audience: 'platform',
  panels: [
    { title: 'Jobs', unit: 'count', series: [{ expr: 'sum by (phase) (delos_jobs)', legend: '{{phase}}' }] },
    {
      title: 'Why jobs wait',
      unit: 'count',
      series: [{ expr: 'sum by (reason) (delos_scheduler_waiting_jobs) > 0', legend: '{{reason}}' }],
      emptyUnless: 'a job waits',
    },
    {
      title: 'Decisions',
      unit: 'per-second',
      series: [
        { expr: 'sum(rate(delos_scheduler_admitted_total[5m]))', legend: 'admitted' },
        { expr: 'sum(rate(delos_scheduler_preempted_total[5m]))', legend: 'preempted' },
      ],
    },
    {
      title: 'Rounds: slowest of a hundred',
      unit: 'seconds',
      series: [{ expr: 'job:delos_scheduler_round_seconds:p99_5m', legend: 'p99' }],
    },
    {
      title: 'Projects with most jobs',
      unit: 'count',
      series: [{ expr: 'topk(20, sum by (project) (delos_project_jobs))', legend: '{{project}}' }],
      emptyUnless: 'a project has a job',
    },
  ],
};
