import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scheduler, type SnapshotInput } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { world } from '../../support/scheduling/jobs.ts';
import { costOf, jobOf, leastCost } from '../../support/scheduling/what-if.ts';

type Preset = NonNullable<SnapshotInput['presets']>[number];
type Kind = 'parts' | 'slices';

const anyLoans = fc.record({
  running: fc.array(fc.record({ large: fc.boolean(), age: fc.nat(90), queue: fc.constantFrom('mine', 'theirs') }), {
    minLength: 4,
    maxLength: 9,
  }),
  claimant: fc.record({ large: fc.boolean(), count: fc.integer({ min: 1, max: 3 }) }),
  guarantee: fc.integer({ min: 0, max: 3 }),
});

/** What large and small jobs take, and what the devices of two nodes (or the nodes, of slices) have. */
const SIZES: Readonly<Record<Kind, { readonly large: number; readonly small: number; readonly have: number[][] }>> = {
  parts: { large: 600, small: 300, have: [[1000, 1000], [1000]] },
  slices: { large: 2, small: 1, have: [[4], [3]] },
};
const PROFILE = 'nvidia.com/mig-1g.10gb';

function presets(kind: Kind): readonly Preset[] {
  return (['large', 'small'] as const).map((name) => {
    const size = SIZES[kind][name];
    const gpu: Preset['gpu'] =
      kind === 'parts' ? { kind: 'fraction', milli: size } : { kind: 'slice', profile: PROFILE, count: size };
    return { name, milliCpu: 0, memoryMiB: 0, preemptible: true, gpu };
  });
}

test.each(['parts', 'slices'] as const)('what was lent in %s of devices comes back, the cheapest first', (kind) => {
  let reclaimed = 0;
  const { have, ...sizes } = SIZES[kind];
  fc.assert(
    fc.property(anyLoans, ({ running, claimant, guarantee }) => {
      const free = have.map((devices) => [...devices]);
      const place = (size: number): { node: string; gpus: number[] } | undefined => {
        for (const [n, devices] of free.entries()) {
          const device = devices.findIndex((left) => left >= size);
          if (device < 0) continue;
          devices[device] = (devices[device] ?? 0) - size;
          return { node: `n${n}`, gpus: kind === 'parts' ? [device] : [] };
        }
        return undefined;
      };
      const jobs = running.flatMap(({ large, age, queue }, n) => {
        const at = place(large ? sizes.large : sizes.small);
        if (at === undefined) return [];
        const groups = [{ preset: large ? 'large' : 'small' }];
        const runs = { startedAt: 100_000 - 1000 * age, pods: [{ group: 0, ...at }] };
        return [{ id: `r${n}`, queue, submittedAt: 0, groups, running: runs }];
      });
      const given = world({
        now: 100_000,
        pools: [{ name: 'p' }],
        nodes: have.map((devices, n) => ({
          name: `n${n}`,
          pool: 'p',
          milliCpu: 0,
          memoryMiB: 0,
          ...(kind === 'parts'
            ? { gpu: { model: 'A100', count: devices.length, memoryMiB: 1 } }
            : { slices: { [PROFILE]: devices[0] ?? 0 } }),
        })),
        presets: [...presets(kind)],
        scopes: [
          { name: 'mine', guarantee: { milliGpu: 600 * guarantee } },
          { name: 'theirs', guarantee: { milliGpu: 300 } },
        ],
        jobs: [
          ...jobs,
          {
            id: 'claimant',
            queue: 'mine',
            submittedAt: 1,
            groups: [{ preset: claimant.large ? 'large' : 'small', count: claimant.count }],
          },
        ],
      });
      const { decisions } = new Scheduler(given, PLACEMENTS).cycle(given.now);
      const victims = decisions.flatMap((each) =>
        each.kind === 'preempt' && each.for === 'claimant' ? [jobOf(given, each.job)] : [],
      );
      const least = leastCost(given, jobOf(given, 'claimant'));
      expect(decisions.some((each) => each.kind === 'start' && each.job === 'claimant')).toBe(least !== undefined);
      if (least === undefined) return;
      if (victims.length > 0) reclaimed += 1;
      expect(victims.reduce((sum, each) => sum + costOf(given, each), 0)).toBeCloseTo(least, 6);
    }),
    { numRuns: 400 },
  );
  expect(reclaimed).toBeGreaterThan(10);
});
