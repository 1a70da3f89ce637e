import { expect, test } from 'vitest';
import { simulate, workload } from '../../runtime/src/simulator/index.ts';
import { largeScale, quotaBoundMs } from '../support/kueue-workload.ts';

test('1,000 queues and 50,000 jobs take less than a minute of one core', () => {
  const before = process.cpuUsage();
  const { metrics } = simulate(workload.parse({ ...largeScale, policy: { minRunMs: 1000 } }));
  const { user, system } = process.cpuUsage(before);
  expect(metrics.ended).toBe(50_000);
  expect(metrics.makespanMs).toBeGreaterThanOrEqual(quotaBoundMs(largeScale, 'cohort-0/queue-0'));
  expect((user + system) / 1e6).toBeLessThan(60);
});
