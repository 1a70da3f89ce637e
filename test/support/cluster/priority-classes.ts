import type { TestCluster } from './cluster.ts';

/** Makes the priority classes of jobs, in a cluster that may hold no platform. */
export async function makePriorityClasses(cluster: TestCluster): Promise<void> {
  const items = Object.entries({ low: -100, normal: 0, high: 100 }).map(([name, value]) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: `delos-job-${name}` },
    value,
    preemptionPolicy: 'Never',
  }));
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], list);
}
