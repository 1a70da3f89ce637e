import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Cluster,
  draws,
  type Placement,
  POLICIES,
  type PodRequest,
  type Policy,
  typicalPods,
} from '../../../runtime/placement/src/index.ts';
import { holds, node, placements, pod, someNodes, somePods } from './support.ts';

const named = (name: string): Policy => {
  const policy = POLICIES.find((one) => one.name === name);
  if (policy === undefined) throw new Error(`no policy ${name}`);
  return policy;
};
const byName = POLICIES.map((policy) => [policy.name, policy] as const);

describe.each(byName)('%s', (_, policy) => {
  const started = (cluster: Cluster, pods: readonly PodRequest[]) =>
    policy.start(cluster, { typical: typicalPods(pods), draw: draws(7) });

  test('overcommits no node and no GPU, keeps to models, and refuses only what fits nowhere', () => {
    fc.assert(
      fc.property(someNodes, somePods, (nodes, pods) => {
        const cluster = new Cluster(nodes);
        const placer = started(cluster, pods);
        const held: { request: PodRequest; placement: Placement }[] = [];
        for (const request of pods) {
          placer.arrived?.(request);
          const placement = placer.tryPlace(request);
          expect(placement === undefined).toBe(placements(cluster, request).length === 0);
          if (placement === undefined) continue;
          cluster.allocate(request, placement);
          held.push({ request, placement });
          expect(holds(nodes, held)).toBe(true);
        }
      }),
    );
  });

  test('decides from its caches as it would from scratch, also after Pods have left', () => {
    fc.assert(
      fc.property(someNodes, somePods, fc.infiniteStream(fc.nat(3)), (nodes, pods, lots) => {
        const cluster = new Cluster(nodes);
        const draw = (): ((below: number) => number) => (below) => below - 1;
        const context = { typical: typicalPods(pods) };
        const kept = policy.start(cluster, { ...context, draw: draw() });
        const held: { request: PodRequest; placement: Placement }[] = [];
        pods.forEach((request, at) => {
          if (lots.next().value === 0) {
            const gone = held.shift();
            if (gone !== undefined) cluster.release(gone.request, gone.placement);
          }
          kept.arrived?.(request);
          const fresh = policy.start(cluster, { ...context, draw: draw() });
          for (const before of pods.slice(0, at + 1)) fresh.arrived?.(before);
          const placement = kept.tryPlace(request);
          expect(placement).toEqual(fresh.tryPlace(request));
          if (placement === undefined) return;
          cluster.allocate(request, placement);
          held.push({ request, placement });
        });
      }),
    );
  });

  test('chooses among the nodes that its caller allows', () => {
    fc.assert(
      fc.property(someNodes, somePods, fc.nat(), (nodes, pods, lot) => {
        const cluster = new Cluster(nodes);
        const only = lot % nodes.length;
        const placer = started(cluster, pods);
        for (const request of pods) {
          const placement = placer.tryPlace(request, (at) => at === only);
          const fitting = placements(cluster, request).filter((one) => one.node === only);
          expect(placement?.node).toBe(fitting.length === 0 ? undefined : only);
          if (placement !== undefined) cluster.allocate(request, placement);
        }
      }),
    );
  });
});

test.each(['bestfit', 'fgd', 'default'])(
  '%s takes the first of equal nodes, so that only their order decides',
  (name) => {
    const cluster = new Cluster([node({ name: 'a', gpus: 1 }), node({ name: 'b' }), node({ name: 'c' })]);
    const request = pod({ gpus: 8 });
    const placer = named(name).start(cluster, { typical: typicalPods([request]), draw: draws(7) });
    expect(placer.tryPlace(request)?.node).toBe(1);
  },
);

describe('what is told of a node beside others does not depend on where it stands', () => {
  test.each(['bestfit', 'fgd', 'default'])('%s', (name) => {
    fc.assert(
      fc.property(someNodes, somePods, (nodes, pods) => {
        const request = pods.at(-1) as PodRequest;
        const distinct = [...new Map(nodes.map((one) => [JSON.stringify({ ...one, name: '' }), one])).values()];
        const chosen = (order: typeof distinct): { readonly shape: object; readonly ties: boolean } | undefined => {
          const cluster = new Cluster(order);
          const placer = named(name).start(cluster, { typical: typicalPods(pods), draw: draws(1) });
          for (const before of pods) placer.arrived?.(before);
          const first = placer.tryPlace(request);
          if (first === undefined) return undefined;
          const last = [...order].reverse();
          const again = new Cluster(last);
          const other = named(name).start(again, { typical: typicalPods(pods), draw: draws(1) });
          for (const before of pods) other.arrived?.(before);
          const second = other.tryPlace(request);
          const shape = order[first.node] as object;
          return { shape, ties: second === undefined || last[second.node] !== shape };
        };
        const forward = chosen(distinct);
        const rotated = chosen([...distinct.slice(1), ...distinct.slice(0, 1)]);
        if (forward?.ties === false && rotated?.ties === false) expect(rotated.shape).toBe(forward.shape);
        else expect(rotated === undefined).toBe(forward === undefined);
      }),
    );
  });
});

/** Each line: what is there, what has come before, what comes, and where it must go. */
const RULES: readonly (readonly [
  rule: string,
  policy: string,
  nodes: readonly ReturnType<typeof node>[],
  before: readonly (readonly [PodRequest, Placement])[],
  request: PodRequest,
  expected: Placement,
])[] = [
  [
    'bestfit leaves the least over',
    'bestfit',
    [node({ gpus: 8 }), node({ gpus: 2 }), node({ gpus: 4 })],
    [],
    pod({ gpus: 2 }),
    { node: 1, gpus: [0, 1] },
  ],
  [
    'bestfit gives a share the fullest GPU with room',
    'bestfit',
    [node({ gpus: 3 })],
    [
      [pod({ gpuMilli: 300 }), { node: 0, gpus: [1] }],
      [pod({ gpuMilli: 600 }), { node: 0, gpus: [2] }],
    ],
    pod({ gpuMilli: 400 }),
    { node: 0, gpus: [2] },
  ],
  [
    'fgd keeps whole GPUs for the Pods that need them',
    'fgd',
    [node({ gpus: 2 })],
    [[pod({ gpuMilli: 500 }), { node: 0, gpus: [1] }]],
    pod({ gpuMilli: 500 }),
    { node: 0, gpus: [1] },
  ],
  [
    'default sends a Pod without GPUs to where none is free',
    'default',
    [node({ gpus: 2 }), node({ gpus: 2 })],
    [[pod({ gpus: 2 }), { node: 1, gpus: [0, 1] }]],
    pod({ gpus: 0, gpuMilli: 0 }),
    { node: 1, gpus: [] },
  ],
  [
    'default sends much CPU to where more of it is left than the GPUs there need',
    'default',
    [node({ cpuMilli: 40_000, gpus: 2 }), node({ cpuMilli: 104_000, gpus: 2 })],
    [],
    pod({ cpuMilli: 30_000 }),
    { node: 1, gpus: [0] },
  ],
  [
    'default takes whole GPUs from nodes that are broken up already',
    'default',
    [node({ name: 'a' }), node({ name: 'b' })],
    [[pod({ cpuMilli: 12_000 }), { node: 1, gpus: [0] }]],
    pod({ cpuMilli: 12_000 }),
    { node: 1, gpus: [1] },
  ],
];

test.each(RULES)('%s', (_, name, nodes, before, request, expected) => {
  const cluster = new Cluster(nodes);
  const workload = [
    ...[...Array(4).keys()].map(() => pod({ gpus: 8, cpuMilli: 64_000 })),
    ...[...Array(30).keys()].flatMap(() => [pod({ cpuMilli: 12_000 }), pod({ gpuMilli: 500 })]),
  ];
  const placer = named(name).start(cluster, { typical: typicalPods(workload, 1), draw: draws(1) });
  for (const one of workload) placer.arrived?.(one);
  for (const [one, placement] of before) cluster.allocate(one, placement);
  expect(placer.tryPlace(request)).toEqual(expected);
});
