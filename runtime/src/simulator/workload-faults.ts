import { type Job, type SnapshotFault, snapshotFaults } from '../scheduling/index.ts';
import { type Workload, worldOf } from './workload.ts';

/** Everything in a workload that contradicts something else in it, each with its place in the document. */
export function workloadFaults(given: Workload): readonly SnapshotFault[] {
  // Reserved nodes have their names once `replicas` are counted out: they are judged below.
  const { bookings = [], ...world } = worldOf(
    given,
    given.nodes.map(({ replicas: _, ...node }) => node),
  );
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
    names.has(node) ? [] : [noNode(['failures', f, 'node'], node)],
  );
  const ofBookings = bookings.flatMap(({ scope, nodes: booked }, b) => [
    ...(given.scopes.some(({ name }) => name === scope)
      ? []
      : [{ path: ['bookings', b, 'scope'], message: `there is no scope ${scope}`, hint: 'name one of scopes' }]),
    ...booked.flatMap((node, n) => (names.has(node) ? [] : [noNode(['bookings', b, 'nodes', n], node)])),
  ]);
  return [
    ...snapshotFaults({ ...world, jobs: given.jobs.map((each) => asJob(each.id, each)) }),
    ...ofStreams,
    ...ofFailures,
    ...ofBookings,
  ];
}

function noNode(path: readonly (string | number)[], node: string): SnapshotFault {
  return { path, message: `there is no node ${node}`, hint: 'with replicas nodes are called NAME-0, NAME-1, …' };
}
