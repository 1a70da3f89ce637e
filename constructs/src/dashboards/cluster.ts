import type { Dashboard } from '../base/metrics.ts';
import { NODE_PANELS } from './shared-panels.ts';

/** The nodes, by pool. */
export const cluster: Dashboard = {
  name: 'cluster',
  title: 'Nodes and pools',
  idea: 'What the nodes of each pool offer to jobs, what jobs have of it, and how busy the nodes are',
  audience: 'platform',
  panels: [
    {
      title: 'Nodes',
      unit: 'count',
      kind: 'now',
      series: [{ expr: 'sum by (pool, state) (delos_pool_nodes)', legend: '{{pool}}: {{state}}' }],
    },
    {
      title: 'Cores',
      unit: 'cores',
      series: [
        { expr: 'delos_pool_capacity{resource="cpu"}', legend: '{{pool}}: offered' },
        { expr: 'delos_pool_used{resource="cpu"}', legend: '{{pool}}: given to jobs' },
      ],
    },
    {
      title: 'Memory',
      unit: 'bytes',
      series: [
        { expr: 'delos_pool_capacity{resource="memory"}', legend: '{{pool}}: offered' },
        { expr: 'delos_pool_used{resource="memory"}', legend: '{{pool}}: given to jobs' },
      ],
    },
    ...NODE_PANELS,
  ],
};
