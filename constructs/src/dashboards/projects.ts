import type { Dashboard } from '../base/metrics.ts';

const JOBS = 'a project has a job';

/** What everybody sees of the own projects. */
export const projects: Dashboard = {
  name: 'projects',
  title: 'My projects',
  idea: 'Jobs of the projects that you may read, what they have, and how much of the quota that is',
  audience: 'everybody',
  panels: [
    {
      title: 'Jobs',
      unit: 'count',
      series: [{ expr: 'sum by (project, phase) (delos_project_jobs)', legend: '{{project}}: {{phase}}' }],
      emptyUnless: JOBS,
    },
    {
      title: 'Cores',
      unit: 'cores',
      series: [{ expr: 'sum by (project) (delos_project_used{resource="cpu"})', legend: '{{project}}' }],
      emptyUnless: JOBS,
    },
    {
      title: 'Memory',
      unit: 'bytes',
      series: [{ expr: 'sum by (project) (delos_project_used{resource="memory"})', legend: '{{project}}' }],
      emptyUnless: JOBS,
    },
    {
      title: 'Devices',
      unit: 'count',
      series: [
        {
          expr: 'sum by (project, resource) (delos_project_used{resource!~"cpu|memory"})',
          legend: '{{project}}: {{resource}}',
        },
      ],
      emptyUnless: 'a job has a device',
    },
    {
      title: 'How much of the quota is used',
      unit: 'ratio',
      kind: 'now',
      series: [
        {
          expr: 'delos_project_used{resource=~"cpu|memory"} / (delos_project_quota > 0)',
          legend: '{{project}}: {{resource}}',
        },
        {
          expr: 'sum by (project) (delos_project_jobs{phase=~"admitted|running|stopping"}) / (sum by (project) (delos_project_quota{resource="jobs"}) > 0)',
          legend: '{{project}}: jobs',
        },
        {
          expr: 'sum by (project) (delos_project_used{resource!~"cpu|memory"}) / (sum by (project) (delos_project_quota{resource="gpu"}) > 0)',
          legend: '{{project}}: GPUs',
        },
      ],
      emptyUnless: 'a project with a quota has a job',
    },
  ],
};
