import { expect, test } from 'vitest';
import { simulate, workload } from '../../../runtime/simulator/src/index.ts';
import { largeScale, quotaBoundMs } from '../../support/scheduling/kueue-workload.ts';

const bound = quotaBoundMs(largeScale, 'cohort-0/queue-0');
/** Of the longest job, which is what guarantees that come first may cost at the end. */
const LONGEST_MS = 1000;

function run(policy: Readonly<Record<string, unknown>>): { readonly makespanMs: number; readonly cpuSeconds: number } {
  const before = process.cpuUsage();
  const { metrics } = simulate(workload.parse({ ...largeScale, policy: { minRunMs: 1000, ...policy } }));
  const { user, system } = process.cpuUsage(before);
  expect(metrics.ended).toBe(50_000);
  expect(metrics.makespanMs).toBeGreaterThanOrEqual(bound);
  return { makespanMs: metrics.makespanMs, cpuSeconds: (user + system) / 1e6 };
}

test('1,000 queues and 50,000 jobs end within 5 % of what their quota allows, in less than a minute of one core', () => {
  expect(bound).toBe(6600);
  // Jobs of a second at most are back before anything could be reclaimed.
  const { makespanMs, cpuSeconds } = run({ reclaim: false });
  expect(makespanMs).toBeLessThanOrEqual(1.05 * bound);
  expect(cpuSeconds).toBeLessThan(60);
});

test('where guarantees come first, they end a job later at most', () => {
  expect(run({}).makespanMs).toBeLessThanOrEqual(bound + LONGEST_MS);
});
