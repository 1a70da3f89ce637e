import { type Job, type Snapshot, type SnapshotFault, snapshotFaults } from '../scheduling/index.ts';
import type { Workload } from './workload.ts';

/** Everything in a workload that contradicts something else in it, each with its place in the document. */
export function workloadFaults(given: Workload): readonly SnapshotFault[] {
  const { policy, pools, presets, scopes, volumes } = given;
  const nodes = given.nodes.map(({ replicas: _, ...node }) => node);
  const world: Snapshot = {
    version: 1,
    now: 0,
    policy,
    pools,
    nodes,
    presets,
    scopes,
    volumes,
    jobs: [],
    reservations: [],
  };
  const asJob = (
    id: string,
    {
      queue,
      groups,
      priority,
      pools: allowed,
      volumes: mounted,
    }: Workload['jobs'][number] | Workload['streams'][number],
  ): Job => ({ id, queue, groups, priority, submittedAt: 0, pools: allowed, volumes: mounted, suspended: false });
  const ofStreams = snapshotFaults({ ...world, jobs: given.streams.map((each) => asJob(each.name, each)) })
    .filter(({ path }) => path[0] === 'jobs')
    .map((fault) => ({
      ...fault,
      path: ['streams', ...fault.path.slice(1).map((step) => (step === 'id' ? 'name' : step))],
      message: fault.message.replace(/^two jobs/, 'two streams'),
      hint: fault.hint.replace('jobs[', 'streams[').replace('an id', 'a name'),
    }));
  const names = new Set(
    given.nodes.flatMap(({ name, replicas }) =>
      replicas === undefined ? [name] : Array.from({ length: replicas }, (_, n) => `${name}-${n}`),
    ),
  );
  const ofFailures = given.failures.flatMap(({ node }, f) =>
    names.has(node)
      ? []
      : [
          {
            path: ['failures', f, 'node'],
            message: `there is no node ${node}`,
            hint: 'with replicas nodes are called NAME-0, NAME-1, …',
          },
        ],
  );
  return [
    ...snapshotFaults({ ...world, jobs: given.jobs.map((each) => asJob(each.id, each)) }),
    ...ofStreams,
    ...ofFailures,
  ];
}
