import type { Dashboard } from '../base/metrics.ts';
import { DECISIONS_PANEL, ROUNDS_PANEL } from './shared-panels.ts';

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
    DECISIONS_PANEL,
    ROUNDS_PANEL,
    {
      title: 'Projects with most jobs',
      unit: 'count',
      series: [{ expr: 'topk(20, sum by (project) (delos_project_jobs))', legend: '{{project}}' }],
      emptyUnless: 'a project has a job',
    },
  ],
};
