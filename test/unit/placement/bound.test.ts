import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linearSolver } from '../../../cli/src/commands/simulate/linear-solver.ts';
import {
  allocationBound,
  Cluster,
  draws,
  POLICIES,
  type PodRequest,
  totalGpuMilli,
  typicalPods,
} from '../../../runtime/placement/src/index.ts';
import { node, placements, pod, someNodes, somePod, somePods } from './support.ts';

const solve = await linearSolver();
/** Milli-GPU by which a solver's rounding may let two sums differ. */
const ROUNDING = 1e-3;

/** The most milli-GPU that any choice of Pods and places allocates, by trying all. */
function mostPossible(cluster: Cluster, pods: readonly PodRequest[]): number {
  const [first, ...rest] = pods;
  if (first === undefined) return cluster.gpuAllocated;
  let most = mostPossible(cluster, rest);
  for (const placement of placements(cluster, first)) {
    cluster.allocate(first, placement);
    most = Math.max(most, mostPossible(cluster, rest));
    cluster.release(first, placement);
  }
  return most;
}

test('the bound is at least what trying everything finds', () => {
  fc.assert(
    fc.property(
      someNodes.map((nodes) => nodes.slice(0, 2)),
      fc.array(somePod, { minLength: 1, maxLength: 5 }),
      (nodes, pods) => {
        const bound = allocationBound(nodes, pods, solve);
        expect(bound).toBeGreaterThanOrEqual(mostPossible(new Cluster(nodes), pods) - ROUNDING);
        expect(bound).toBeLessThanOrEqual(pods.reduce((sum, one) => sum + totalGpuMilli(one), 0) + ROUNDING);
      },
    ),
    { numRuns: 150 },
  );
});

test('no policy passes the bound', () => {
  fc.assert(
    fc.property(someNodes, somePods, (nodes, pods) => {
      const bound = allocationBound(nodes, pods, solve);
      for (const policy of POLICIES) {
        const cluster = new Cluster(nodes);
        const placer = policy.start(cluster, { typical: typicalPods(pods), draw: draws(3) });
        for (const request of pods) {
          placer.arrived?.(request);
          const placement = placer.tryPlace(request);
          if (placement !== undefined) cluster.allocate(request, placement);
        }
        expect(cluster.gpuAllocated).toBeLessThanOrEqual(bound + ROUNDING);
      }
    }),
  );
});

test('prices that are wrong make a bound that is looser, never lower', () => {
  fc.assert(
    fc.property(
      someNodes,
      somePods,
      fc.infiniteStream(fc.double({ min: -2, max: 2, noNaN: true })),
      (nodes, pods, errors) => {
        const exact = allocationBound(nodes, pods, solve);
        const wrong = allocationBound(nodes, pods, (program) =>
          solve(program).map((price) => price * (1 + (errors.next().value ?? 0)) + (errors.next().value ?? 0)),
        );
        expect(wrong).toBeGreaterThanOrEqual(exact - ROUNDING);
      },
    ),
  );
});

test.each([
  [
    'GPUs of a node hold two shares of 470 each, not 2.1',
    [node({ gpus: 2 })],
    Array(9).fill(pod({ gpuMilli: 470 })),
    1880,
  ],
  ['CPU of all nodes together', [node({ gpus: 2, cpuMilli: 9000 })], Array(9).fill(pod({ gpuMilli: 100 })), 225],
  [
    'a model that few nodes have',
    [node({ gpus: 2 }), node({ gpus: 1, model: 'A10' })],
    Array(3).fill(pod({ models: ['A10'] })),
    1000,
  ],
  ['Pods of 4 GPUs on nodes of 6', [node({ gpus: 6 }), node({ gpus: 6 })], Array(3).fill(pod({ gpus: 4 })), 8000],
  [
    'a share of 810 and what fits beside it',
    [node({ gpus: 1 })],
    [pod({ gpuMilli: 810 }), pod({ gpuMilli: 230 }), pod({ gpuMilli: 160 })],
    970,
  ],
])('it knows of %s', (_, nodes, pods, expected) => {
  expect(allocationBound(nodes, pods, solve)).toBeCloseTo(expected, 3);
});
