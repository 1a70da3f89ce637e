import { type Job, type SnapshotFault, snapshotFaults } from '@delos/scheduling';
import { PLACEMENTS } from './placements.ts';
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
  const ofStreams = snapshotFaults({ ...world, jobs: given.streams.map((each) => asJob(each.name, each)) }, PLACEMENTS)
    .filter(({ path }) => path[0] === 'jobs')
    .map((fault) => ({
      ...fault,
      path: ['streams', ...fault.path.slice(1).map((step) => (step === 'id' ? 'name' : step))],
      message: fault.message.replace(/^two jobs/, 'two streams'),
      hint: fault.hint.replace('jobs[', 'streams[').replace('an id', 'a name'),
    }));
  const names = new Set(
    given.nodes.flatMap(({ name, replicas }) => (replicas === undefined ? [name] : counted(name, replicas))),
  );
  const ofNames = [
    ...countedTwice(
      'nodes',
      'node',
      given.nodes.map(({ name, replicas }) => ({ name, count: replicas })),
    ),
    ...countedTwice('streams', 'job', [
      ...given.streams.map(({ name, count }) => ({ name, count })),
      ...given.jobs.map(({ id }) => ({ name: id, count: undefined })),
    ]),
  ];
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
    ...snapshotFaults({ ...world, jobs: given.jobs.map((each) => asJob(each.id, each)) }, PLACEMENTS),
    ...ofStreams,
    ...ofNames,
    ...ofFailures,
    ...ofBookings,
  ];
}

const counted = (name: string, n: number): readonly string[] => Array.from({ length: n }, (_, at) => `${name}-${at}`);

/** Things with a `count` whose names, NAME-0 and on, are others' as well. Names that stand there twice are told elsewhere. */
function countedTwice(
  list: string,
  kind: string,
  things: readonly { readonly name: string; readonly count: number | undefined }[],
): readonly SnapshotFault[] {
  const taken = new Set(things.flatMap(({ name, count }) => (count === undefined ? [name] : [])));
  return things.flatMap(({ name, count }, at) => {
    if (count === undefined) return [];
    const names = counted(name, count);
    const twice = names.find((each) => taken.has(each));
    for (const each of names) taken.add(each);
    if (twice === undefined) return [];
    const hint = 'they are counted NAME-0, NAME-1, …: choose another name';
    return [{ path: [list, at, 'name'], message: `two ${kind}s are called ${twice}`, hint }];
  });
}

function noNode(path: readonly (string | number)[], node: string): SnapshotFault {
  return { path, message: `there is no node ${node}`, hint: 'with replicas nodes are called NAME-0, NAME-1, …' };
}
