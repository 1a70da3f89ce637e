import type { Job, Node, Preset, Snapshot } from './model.ts';
import { placementNames } from './policies/placement.ts';

/** One thing that contradicts another; `path` leads to it in the document. */
export interface SnapshotFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** What references lead to, by name, and the scopes below each scope: looked up, so that a million jobs are judged in one pass. */
interface Known {
  readonly pools: ReadonlyMap<string, unknown>;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly presets: ReadonlyMap<string, unknown>;
  readonly scopes: ReadonlyMap<string, unknown>;
  readonly volumes: ReadonlyMap<string, unknown>;
  readonly classes: ReadonlyMap<string, unknown>;
  readonly below: ReadonlyMap<string, readonly string[]>;
}

function knownIn({ pools, nodes, presets, scopes, volumes, deviceClasses = [] }: Snapshot): Known {
  const byName = <T extends { readonly name: string }>(things: readonly T[]): ReadonlyMap<string, T> =>
    new Map(things.map((each) => [each.name, each]));
  const below = new Map<string, string[]>();
  for (const { name, parent } of scopes) {
    if (parent === undefined) continue;
    const names = below.get(parent);
    if (names === undefined) below.set(parent, [name]);
    else names.push(name);
  }
  return {
    pools: byName(pools),
    nodes: byName(nodes),
    presets: byName(presets),
    scopes: byName(scopes),
    volumes: byName(volumes),
    classes: byName(deviceClasses),
    below,
  };
}

/** Everything that a schema cannot see: names given twice, references to nothing, a tree that is none. */
export function snapshotFaults(snapshot: Snapshot): readonly SnapshotFault[] {
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
    ...(placementNames().includes(policy.placement)
      ? []
      : [
          {
            path: ['policy', 'placement'],
            message: `there is no placement policy ${policy.placement}`,
            hint: `there are: ${placementNames().join(', ')}`,
          },
        ]),
    ...(policy.demand ?? []).flatMap(({ preset }, d) =>
      reference(['policy', 'demand', d, 'preset'], 'preset', preset, known.presets),
    ),
    ...nodes.flatMap(({ pool }, n) => reference(['nodes', n, 'pool'], 'pool', pool, known.pools)),
    ...treeFaults(snapshot),
    // A reserved node may be lost for a while: it is reserved again once it is back.
    ...bookings.flatMap(({ scope }, b) => reference(['bookings', b, 'scope'], 'scope', scope, known.scopes)),
    ...presets.flatMap((preset, p) => claimFaults(known, preset, ['presets', p, 'gpu'])),
    ...jobs.flatMap((job, j) => jobFaults(known, job, j)),
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
  known: ReadonlyMap<string, unknown>,
): readonly SnapshotFault[] {
  if (known.has(name)) return [];
  const some = [...known.keys()].slice(0, 8);
  const hint =
    some.length === 0 ? `no ${kind} is defined` : `there are: ${some.join(', ')}${known.size > 8 ? ', …' : ''}`;
  return [{ path, message: `there is no ${kind} ${name}`, hint }];
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

function claimFaults(known: Known, { gpu }: Preset, path: readonly (string | number)[]): readonly SnapshotFault[] {
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
  for (const [p, pod] of (job.running?.pods ?? []).entries()) {
    const path = ['jobs', j, 'running', 'pods', p];
    const node = known.nodes.get(pod.node);
    if (node === undefined) faults.push(...reference([...path, 'node'], 'node', pod.node, known.nodes));
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
