import type { Dashboard } from '../base/metrics.ts';

/** Whether all of the platform is well. */
export const platform: Dashboard = {
  name: 'platform',
  title: 'Platform',
  idea: 'Which parts answer, what is found wrong, and what the parts take',
  audience: 'platform',
  panels: [
    {
      title: 'Parts that answer',
      unit: 'ratio',
      kind: 'now',
      series: [{ expr: 'avg by (job) (up)', legend: '{{job}}' }],
    },
    {
      title: 'What is found wrong',
      unit: 'count',
      kind: 'now',
      series: [{ expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})', legend: '{{alertname}}' }],
      emptyUnless: 'something is wrong',
    },
    {
      title: 'Memory of each part',
      unit: 'bytes',
      series: [{ expr: 'sum by (job) (process_resident_memory_bytes)', legend: '{{job}}' }],
    },
    {
      title: 'Processor time of each part',
      unit: 'cores',
      series: [{ expr: 'sum by (job) (rate(process_cpu_seconds_total[5m]))', legend: '{{job}}' }],
    },
    {
      title: 'Requests to the API',
      unit: 'per-second',
      series: [{ expr: 'sum by (status) (rate(delos_api_request_seconds_count[5m]))', legend: '{{status}}' }],
    },
  ],
};
