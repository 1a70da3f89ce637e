import { Gauge, type Registry } from 'prom-client';
import { type OfClusters, ofCluster } from './metrics.ts';
import type { Amounts, ProjectUsage, Usage } from './usage.ts';

/**
 * Tells who has how much of what there is. Whose series a person may see is decided by their label `project`, so each series
 * of one project has it, and no other has.
 * @param usage asked once for each look
 */
export function usageMetrics(registry: Registry, usage: OfClusters<Usage>): void {
  let now: ReturnType<OfClusters<Usage>> = [];
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    tell: (usage: Usage, set: (labels: Record<Label, string>, value: number) => void) => void,
  ): Gauge<Label | 'cluster'> =>
    new Gauge<Label | 'cluster'>({
      name,
      help,
      labelNames: [...labelNames, 'cluster'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [cluster, told] of now)
          tell(told, (labels, value) => this.set({ ...labels, ...ofCluster(cluster) }, value));
      },
    });
  // Gauges are asked in the order in which they were registered. This one is the first, and asks for all.
  new Gauge({
    name: 'delos_projects_untold',
    help: 'Projects whose use is not told, since there are too many',
    registers: [registry],
    collect() {
      now = usage();
      this.reset();
      if (now.length > 0) this.set(now.reduce((sum, [, { untold }]) => sum + untold, 0));
    },
  });
  const ofPools = (key: 'capacity' | 'used') => (told: Usage, set: (labels: Pooled, value: number) => void) => {
    for (const [pool, { [key]: amounts }] of told.pools)
      for (const [resource, amount] of amounts) set({ pool, resource }, amount);
  };
  gauge(
    'delos_pool_capacity',
    'What nodes offer to jobs, by pool: cores, bytes, devices',
    ['pool', 'resource'],
    ofPools('capacity'),
  );
  gauge('delos_pool_used', 'What jobs have, by pool: cores, bytes, devices', ['pool', 'resource'], ofPools('used'));
  gauge('delos_pool_nodes', 'Nodes of a pool, by state', ['pool', 'state'], (told, set) => {
    for (const [pool, { nodes }] of told.pools) for (const [state, count] of nodes) set({ pool, state }, count);
  });
  const ofProjects =
    <Label extends 'phase' | 'resource'>(label: Label, amounts: (project: ProjectUsage) => Amounts) =>
    (told: Usage, set: (labels: Record<Label | 'organization' | 'project', string>, value: number) => void) => {
      for (const [project, own] of told.projects) {
        const { organization } = own;
        for (const [word, amount] of amounts(own))
          set({ organization, project, [label]: word } as Record<Label | 'organization' | 'project', string>, amount);
      }
    };
  const project = ['organization', 'project'] as const;
  gauge(
    'delos_project_jobs',
    'Jobs of a project that are not over, by the step that they are at',
    [...project, 'phase'],
    ofProjects('phase', ({ phases }) => phases),
  );
  gauge(
    'delos_project_used',
    'What the jobs of a project have: cores, bytes, devices',
    [...project, 'resource'],
    ofProjects('resource', ({ used }) => used),
  );
  gauge(
    'delos_project_quota',
    'What the jobs of a project may have together, where its quota says so',
    [...project, 'resource'],
    ofProjects('resource', ({ quota }) => quota),
  );
}

type Pooled = Record<'pool' | 'resource', string>;
