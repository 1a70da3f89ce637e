import { describe, expect, test } from 'vitest';
import { linearSolver } from '../../../cli/src/commands/simulate/linear-solver.ts';
import { allocationBound, POLICIES, replay, replayArrivals } from '../../../runtime/placement/src/index.ts';
import { gpuLists, meanOf, PUBLISHED } from '../../support/placement/gpu-lists.ts';

const SEEDS = Array.from({ length: 10 }, (_, at) => 42 + at);
/** Points of percent that a baseline may differ from its published mean: seeds are drawn by another generator. */
const TOLERANCE = 0.5;

const lists = gpuLists();
const solve = await linearSolver();
describe(`on ${lists.source}`, () => {
  test.each(lists.names)('list %s: as published, default above fgd, nothing above the bound', async (name) => {
    const { nodes, pods } = await lists.load(name);
    const capacity = nodes.reduce((sum, { gpus }) => sum + 10 * gpus, 0);
    const perSeed = POLICIES.map((policy) =>
      SEEDS.map((seed) => replay({ nodes, workload: pods, ratio: 1.3, seed, policy }).gpuAllocated / capacity),
    );
    const means = perSeed.map(meanOf);
    PUBLISHED[name]?.forEach((value, at) => {
      expect(Math.abs((means[at] as number) - value), POLICIES[at]?.name).toBeLessThanOrEqual(TOLERANCE);
    });
    expect(means[3]).toBeGreaterThan(means[2] as number);
    SEEDS.slice(0, 3).forEach((seed, at) => {
      const bound =
        allocationBound(nodes, replayArrivals({ nodes, workload: pods, ratio: 1.3, seed }), solve) / capacity;
      for (const values of perSeed) expect(values[at]).toBeLessThanOrEqual(bound + 1e-6);
    });
  });
});
