import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEVELS, type Level, type Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { domain } from '../../support/scheduling/checker.ts';
import { decided, gpuNodes, world } from '../../support/scheduling/jobs.ts';

/** Nodes somewhere in two clusters, some of whose places are not known, and a gang. */
const anyGang = fc
  .record({
    nodes: fc.array(
      fc.record({
        gpus: fc.integer({ min: 1, max: 4 }),
        pool: fc.constantFrom('p', 'p', 'p', 'q'),
        zone: fc.constantFrom('z1', 'z1', 'z2', undefined),
        rack: fc.constantFrom('r1', 'r1', 'r2', undefined),
        nvlink: fc.constantFrom('l1', 'l1', 'l2', undefined),
      }),
      { minLength: 2, maxLength: 9 },
    ),
    count: fc.integer({ min: 2, max: 8 }),
    gpus: fc.constantFrom(1, 1, 2),
    within: fc.constantFrom(undefined, undefined, ...LEVELS),
  })
  .map(({ nodes, count, gpus, within }) => {
    const plain = gpuNodes(nodes.map((node) => node.gpus));
    const given = world({
      pools: [{ name: 'p' }, { name: 'q', cluster: 'other' }],
      nodes: plain.map((node, n) => {
        const { pool = 'p', zone, rack, nvlink } = nodes[n] ?? {};
        return {
          ...node,
          pool,
          ...(zone === undefined ? {} : { zone }),
          ...(rack === undefined ? {} : { rack }),
          ...(nvlink === undefined ? {} : { nvlink }),
        };
      }),
      presets: [{ name: 'part', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: gpus } }],
      scopes: [{ name: 'o' }],
      jobs: [
        {
          id: 'gang',
          queue: 'o',
          submittedAt: 0,
          groups: [{ preset: 'part', count }],
          ...(within === undefined ? {} : { within }),
        },
      ],
    });
    return { given, count, gpus, within: within ?? 'cluster' };
  });

/** Replicas that have room in each domain of a level; with `inside` only in that domain. */
function rooms(given: Snapshot, level: Level, gpus: number, inside = ''): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (const node of given.nodes) {
    const name = domain(given, node, level);
    if (inside !== '' && name !== inside && !name.startsWith(`${inside}/`)) continue;
    all.set(name, (all.get(name) ?? 0) + Math.floor((node.gpu?.count ?? 0) / gpus));
  }
  return all;
}

test('a gang lies in the narrowest domain that holds it, the fullest of these, and there in as few as can be', () => {
  const met = new Map<string, number>();
  fc.assert(
    fc.property(anyGang, ({ given, count, gpus, within }) => {
      const widest = LEVELS.indexOf(within);
      const narrowest = LEVELS.findIndex(
        (level, l) => l <= widest && [...rooms(given, level, gpus).values()].some((room) => room >= count),
      );
      const start = decided(given).cycle.decisions.find(({ kind }) => kind === 'start');
      expect(start !== undefined).toBe(narrowest >= 0);
      met.set(String(LEVELS[narrowest]), (met.get(String(LEVELS[narrowest])) ?? 0) + 1);
      if (start?.kind !== 'start') return;
      const at = (level: Level): readonly string[] => [
        ...new Set(
          start.pods.map((pod) => {
            const node = given.nodes.find(({ name }) => name === pod.node);
            return node === undefined ? '' : domain(given, node, level);
          }),
        ),
      ];
      const level = LEVELS[narrowest] ?? 'cluster';
      const [own = '', ...others] = at(level);
      expect(others).toEqual([]);
      const fitting = [...rooms(given, level, gpus).values()].filter((room) => room >= count);
      expect(rooms(given, level, gpus).get(own)).toBe(Math.min(...fitting));
      // Of the domains one level down the largest hold it, and no fewer do.
      const below = LEVELS[narrowest - 1];
      if (below === undefined) return;
      let left = count;
      let fewest = 0;
      for (const room of [...rooms(given, below, gpus, own).values()].sort((a, b) => b - a)) {
        if (left <= 0) break;
        left -= room;
        fewest += 1;
      }
      expect(at(below)).toHaveLength(fewest);
    }),
    { numRuns: 600 },
  );
  for (const level of [...LEVELS, 'undefined']) expect(met.get(level), level).toBeGreaterThan(10);
});
