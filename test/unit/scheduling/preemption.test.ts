import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scheduler } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { gpuNodes, world } from '../../support/scheduling/jobs.ts';
import { costOf, jobOf, leastCost } from '../../support/scheduling/what-if.ts';

const SINGLE = { kind: 'whole', count: 1 } as const;

/** One full node or several, jobs of many ages on them, and one that is more urgent. */
const anyUrgent = fc
  .record({
    nodes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
    ages: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 12, maxLength: 12 }),
    low: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    /** Jobs with many cores beside their device. */
    heavy: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    gpus: fc.integer({ min: 1, max: 3 }),
    replicas: fc.constantFrom(1, 1, 2, 3),
    quota: fc.constantFrom(undefined, undefined, 3000, 4000),
    minRunMs: fc.constantFrom(0, 30_000),
    pairs: fc.boolean(),
  })
  .map(({ nodes, ages, low, heavy, gpus, replicas, quota, minRunMs, pairs }) => {
    let n = 0;
    const running = nodes.flatMap((count, node) =>
      Array.from({ length: count }, (_, device) => device).flatMap((device) => {
        // Every other job that can takes two devices.
        const pair = pairs && count % 2 === 0;
        if (pair && device % 2 === 1) return [];
        const at = n++;
        return [
          {
            id: `r${at}`,
            queue: 'o/p',
            priority: low[at] === true ? ('low' as const) : ('normal' as const),
            submittedAt: 0,
            groups: [{ preset: pair ? 'spot-2' : heavy[at] === true ? 'spot-heavy' : 'spot' }],
            running: {
              startedAt: 100_000 - 1000 * (ages[at] ?? 1),
              pods: [{ group: 0, node: `n${node}`, gpus: pair ? [device, device + 1] : [device] }],
            },
          },
        ];
      }),
    );
    return world({
      now: 100_000,
      policy: { minRunMs, reclaim: false },
      pools: [{ name: 'p' }],
      nodes: gpuNodes(nodes),
      presets: [
        { name: 'spot', milliCpu: 0, memoryMiB: 0, preemptible: true, gpu: SINGLE },
        { name: 'spot-heavy', milliCpu: 24_000, memoryMiB: 0, preemptible: true, gpu: SINGLE },
        { name: 'spot-2', milliCpu: 0, memoryMiB: 0, preemptible: true, gpu: { kind: 'whole', count: 2 } },
        { name: 'wants', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: gpus } },
      ],
      scopes: [
        { name: 'o', kind: 'organization' },
        { name: 'o/p', parent: 'o', ...(quota === undefined ? {} : { quota: { milliGpu: quota } }) },
      ],
      jobs: [
        ...running,
        {
          id: 'urgent',
          queue: 'o/p',
          priority: 'high',
          submittedAt: 99_000,
          groups: [{ preset: 'wants', count: replicas }],
        },
      ],
    });
  });

test('the preempted jobs cost the least that brute force finds, and some are preempted wherever that is possible', () => {
  fc.assert(
    fc.property(anyUrgent, (given) => {
      const urgent = jobOf(given, 'urgent');
      const { decisions } = new Scheduler(given, PLACEMENTS).cycle(given.now);
      const victims = decisions.flatMap((each) =>
        each.kind === 'preempt' && each.for === 'urgent' ? [jobOf(given, each.job)] : [],
      );
      const started = decisions.some((each) => each.kind === 'start' && each.job === 'urgent');
      const least = leastCost(given, urgent);
      expect(started).toBe(least !== undefined);
      if (least !== undefined) {
        expect(victims.reduce((sum, each) => sum + costOf(given, each), 0)).toBeCloseTo(least, 6);
      }
    }),
    { numRuns: 200 },
  );
});
