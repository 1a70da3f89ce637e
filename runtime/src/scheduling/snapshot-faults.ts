import type { Snapshot } from './model.ts';
import { placementNames } from './policies/placement.ts';

/** One thing that contradicts another; `path` leads to it in the document. */
export interface SnapshotFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** Everything that a schema cannot see: names given twice, references to nothing, a tree that is none. */
export function snapshotFaults(snapshot: Snapshot): readonly SnapshotFault[] {
  const { pools, nodes, presets, scopes, volumes, jobs, policy } = snapshot;
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
      'jobs',
      'job',
      jobs.map(({ id }) => id),
      'id',
    ),
    ...(placementNames().includes(policy.placement)
      ? []
      : [
          {
            path: ['policy', 'placement'],
            message: `there is no placement policy ${policy.placement}`,
            hint: `there are: ${placementNames().join(', ')}`,
          },
        ]),
    ...nodes.flatMap(({ pool }, n) => reference(['nodes', n, 'pool'], 'pool', pool, pools)),
    ...treeFaults(snapshot),
    ...jobs.flatMap((_, j) => jobFaults(snapshot, j)),
  ];
}

function twice(list: string, kind: string, names: readonly string[], field: string): readonly SnapshotFault[] {
  const first = new Map<string, number>();
  return names.flatMap((name, index) => {
    const before = first.get(name);
    if (before === undefined) {
      first.set(name, index);
      return [];
    }
    return [
      {
        path: [list, index, field],
        message: `two ${kind}s are called ${name}`,
        hint: `the other is ${list}[${before}]; give each a ${field} of its own`,
      },
    ];
  });
}

function reference(
  path: readonly (string | number)[],
  kind: string,
  name: string,
  known: readonly { readonly name: string }[],
): readonly SnapshotFault[] {
  if (known.some((each) => each.name === name)) return [];
  const some = known.slice(0, 8).map((each) => each.name);
  const hint =
    some.length === 0 ? `no ${kind} is defined` : `there are: ${some.join(', ')}${known.length > 8 ? ', …' : ''}`;
  return [{ path, message: `there is no ${kind} ${name}`, hint }];
}

function treeFaults({ scopes }: Snapshot): readonly SnapshotFault[] {
  const byName = new Map(scopes.map((scope) => [scope.name, scope]));
  return scopes.flatMap(({ name, parent }, s) => {
    if (parent === undefined) return [];
    const path = ['scopes', s, 'parent'];
    if (!byName.has(parent)) return reference(path, 'scope', parent, scopes);
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

function jobFaults(snapshot: Snapshot, j: number): readonly SnapshotFault[] {
  const job = snapshot.jobs[j];
  if (job === undefined) return [];
  const faults = [
    ...reference(['jobs', j, 'queue'], 'scope', job.queue, snapshot.scopes),
    ...job.groups.flatMap(({ preset }, g) =>
      reference(['jobs', j, 'groups', g, 'preset'], 'preset', preset, snapshot.presets),
    ),
    ...job.volumes.flatMap((volume, v) => reference(['jobs', j, 'volumes', v], 'volume', volume, snapshot.volumes)),
    ...job.pools.flatMap((pool, p) => reference(['jobs', j, 'pools', p], 'pool', pool, snapshot.pools)),
  ];
  if (snapshot.scopes.some(({ parent }) => parent === job.queue)) {
    const below = snapshot.scopes.filter(({ parent }) => parent === job.queue).map(({ name }) => name);
    faults.push({
      path: ['jobs', j, 'queue'],
      message: `${job.queue} has scopes below it, and jobs are submitted to leaves of the tree`,
      hint: `one of: ${below.slice(0, 8).join(', ')}`,
    });
  }
  for (const [p, pod] of (job.running?.pods ?? []).entries()) {
    const path = ['jobs', j, 'running', 'pods', p];
    const node = snapshot.nodes.find(({ name }) => name === pod.node);
    if (node === undefined) faults.push(...reference([...path, 'node'], 'node', pod.node, snapshot.nodes));
    if (job.groups[pod.group] === undefined) {
      faults.push({
        path: [...path, 'group'],
        message: `job ${job.id} has no group ${pod.group}`,
        hint: 'groups are counted from 0',
      });
    }
    for (const gpu of pod.gpus) {
      if (node === undefined || gpu < (node.gpu?.count ?? 0)) continue;
      faults.push({
        path: [...path, 'gpus'],
        message: `node ${pod.node} has no device ${gpu}`,
        hint: 'devices are counted from 0',
      });
    }
  }
  return faults;
}
