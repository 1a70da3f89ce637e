import type { Dashboard } from '../base/metrics.ts';
import { DCGM_PANELS } from './gpu-panels.ts';

const GPU = 'resource!~"cpu|memory"';
const GPUS = 'a node has devices';

/** Devices, and who has them. */
export const gpus: Dashboard = {
  name: 'gpus',
  title: 'GPUs',
  idea: 'How many devices the pools have, how many of them jobs have, whose jobs these are, and how busy, hot and well the devices are',
  audience: 'platform',
  panels: [
    {
      title: 'Devices given to jobs',
      unit: 'ratio',
      kind: 'now',
      series: [
        {
          expr: `(sum by (pool, resource) (delos_pool_used{${GPU}}) or 0 * sum by (pool, resource) (delos_pool_capacity{${GPU}})) / (sum by (pool, resource) (delos_pool_capacity{${GPU}}) > 0)`,
          legend: '{{pool}}: {{resource}}',
        },
      ],
      emptyUnless: GPUS,
    },
    {
      title: 'Devices',
      unit: 'count',
      series: [
        { expr: `delos_pool_capacity{${GPU}}`, legend: '{{pool}}: {{resource}}, offered' },
        { expr: `delos_pool_used{${GPU}}`, legend: '{{pool}}: {{resource}}, given to jobs' },
      ],
      emptyUnless: GPUS,
    },
    {
      title: 'Devices by project',
      unit: 'count',
      series: [{ expr: `topk(20, sum by (project) (delos_project_used{${GPU}}))`, legend: '{{project}}' }],
      emptyUnless: 'a job has a device',
    },
    ...DCGM_PANELS,
  ],
};
