import { CORE_PLACEMENTS, type Placements } from '../policies/placement.ts';
import type { Job, Preset, Scope, Snapshot } from './model.ts';
import { DIMENSIONS } from './quantities.ts';
import { runningFaults } from './running-faults.ts';
import { type Known, knownIn, later, type Path, reference, type SnapshotFault, twice } from './snapshot-fault.ts';

/**
 * Everything that a schema cannot see: names given twice, references to nothing, a tree that is none, running jobs where they
 * cannot be.
 *
 * @param placements the placement policies of the scheduler that the snapshot is for
 */
export function snapshotFaults(snapshot: Snapshot, placements: Placements = CORE_PLACEMENTS): readonly SnapshotFault[] {
  const { pools, nodes, presets, scopes, volumes, jobs, policy, bookings = [], deviceClasses = [] } = snapshot;
  const known = knownIn(snapshot);
  return [
    ...twice(
      'pools',
      'pool',
      pools.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'nodes',
      'node',
      nodes.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'presets',
      'preset',
      presets.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'scopes',
      'scope',
      scopes.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'volumes',
      'volume',
      volumes.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'bookings',
      'booking',
      bookings.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'deviceClasses',
      'device class',
      deviceClasses.map(({ name }) => name),
      'name',
    ),
    ...twice(
      'jobs',
      'job',
      jobs.map(({ id }) => id),
      'id',
    ),
    ...(placements.has(policy.placement)
      ? []
      : [
          {
            path: ['policy', 'placement'],
            message: `there is no placement policy ${policy.placement}`,
            hint: `there are: ${[...placements.keys()].join(', ')}`,
          },
        ]),
    ...(policy.demand ?? []).flatMap(({ preset }, d) =>
      reference(['policy', 'demand', d, 'preset'], 'preset', preset, known.presets),
    ),
    ...nodes.flatMap(({ pool }, n) => reference(['nodes', n, 'pool'], 'pool', pool, known.pools)),
    ...treeFaults(snapshot),
    ...personFaults(snapshot),
    // A reserved node may be lost for a while: it is reserved again once it is back.
    ...bookings.flatMap(({ scope }, b) => reference(['bookings', b, 'scope'], 'scope', scope, known.scopes)),
    ...presets.flatMap((preset, p) => claimFaults(known, preset, ['presets', p, 'gpu'])),
    ...jobs.flatMap((job, j) => jobFaults(known, job, j)),
    ...runningFaults(snapshot, known),
    ...scopes.flatMap((scope, s) => historyFaults(scope, snapshot.now, ['scopes', s])),
    ...reservationFaults(snapshot, known),
  ];
}

function treeFaults({ scopes }: Snapshot): readonly SnapshotFault[] {
  const byName = new Map(scopes.map((scope) => [scope.name, scope]));
  return scopes.flatMap(({ name, parent }, s) => {
    if (parent === undefined) return [];
    const path = ['scopes', s, 'parent'];
    if (!byName.has(parent)) return reference(path, 'scope', parent, byName);
    const way = [name];
    for (let above: string | undefined = parent; above !== undefined; above = byName.get(above)?.parent) {
      if (above === name) {
        const message = `scope ${name} is its own ancestor: ${[...way, name].join(' → ')}`;
        return [
          { path, message, hint: 'organizations, projects and users form a tree: leave out one of these parents' },
        ];
      }
      if (way.includes(above)) return [];
      way.push(above);
    }
    return [];
  });
}

function personFaults({ scopes, jobs }: Snapshot): readonly SnapshotFault[] {
  const people = new Set(scopes.filter(({ kind }) => kind === 'person').map(({ name }) => name));
  const hint = 'a person has a quota or a limit only; jobs and scopes name the place of a user in a project';
  return [
    ...scopes.flatMap(({ kind, parent, person, guarantee }, s) => [
      ...(kind === 'person' && (parent !== undefined || Object.keys(guarantee).length > 0)
        ? [{ path: ['scopes', s], message: 'a person lies in no scope and is guaranteed nothing', hint }]
        : []),
      ...(parent !== undefined && people.has(parent)
        ? [{ path: ['scopes', s, 'parent'], message: `${parent} is a person`, hint }]
        : []),
      ...(person !== undefined && (kind !== 'user' || !people.has(person))
        ? [
            {
              path: ['scopes', s, 'person'],
              message: `only a user can be of a person, and ${person} must be one`,
              hint,
            },
          ]
        : []),
    ]),
    ...jobs.flatMap(({ queue }, j) =>
      people.has(queue) ? [{ path: ['jobs', j, 'queue'], message: `${queue} is a person`, hint }] : [],
    ),
  ];
}

function claimFaults(known: Known, { gpu }: Preset, path: Path): readonly SnapshotFault[] {
  if (gpu?.kind !== 'claim') return [];
  const names = new Map(gpu.requests.map((request) => [request.name, request]));
  return [
    ...gpu.requests.flatMap((request, r) =>
      reference([...path, 'requests', r, 'class'], 'device class', request.class, known.classes),
    ),
    ...gpu.constraints.flatMap(({ requests = [] }, c) =>
      requests.flatMap((name, r) => reference([...path, 'constraints', c, 'requests', r], 'request', name, names)),
    ),
  ];
}

function jobFaults(known: Known, job: Job, j: number): readonly SnapshotFault[] {
  const faults = [
    ...reference(['jobs', j, 'queue'], 'scope', job.queue, known.scopes),
    ...job.groups.flatMap(({ preset }, g) =>
      reference(['jobs', j, 'groups', g, 'preset'], 'preset', preset, known.presets),
    ),
    ...job.volumes.flatMap((volume, v) => reference(['jobs', j, 'volumes', v], 'volume', volume, known.volumes)),
    ...job.pools.flatMap((pool, p) => reference(['jobs', j, 'pools', p], 'pool', pool, known.pools)),
  ];
  const below = known.below.get(job.queue);
  if (below !== undefined) {
    faults.push({
      path: ['jobs', j, 'queue'],
      message: `${job.queue} has scopes below it, and jobs are submitted to leaves of the tree`,
      hint: `one of: ${below.slice(0, 8).join(', ')}`,
    });
  }
  return faults;
}

function historyFaults({ history, historyAt = 0 }: Scope, now: number, path: Path): readonly SnapshotFault[] {
  const faults: SnapshotFault[] = [];
  if (history !== undefined && history.length !== DIMENSIONS.length) {
    faults.push({
      path: [...path, 'history'],
      message: `expected ${DIMENSIONS.length} amounts, found ${history.length}`,
      hint: `in this order: ${DIMENSIONS.join(', ')}`,
    });
  }
  if (historyAt > now) faults.push(later([...path, 'historyAt'], historyAt, now));
  return faults;
}

function reservationFaults({ reservations, jobs }: Snapshot, known: Known): readonly SnapshotFault[] {
  if (reservations.length === 0) return [];
  const byId = new Map(jobs.map((job) => [job.id, job]));
  return reservations.flatMap(({ job, nodes, scope }, r) => [
    ...reference(['reservations', r, 'job'], 'job', job, byId),
    ...nodes.flatMap((node, n) => reference(['reservations', r, 'nodes', n], 'node', node, known.nodes)),
    ...(scope === undefined ? [] : reference(['reservations', r, 'scope'], 'scope', scope, known.scopes)),
  ]);
}
