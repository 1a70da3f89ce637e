import { expect, test } from 'vitest';
import { Explainer, Scheduler, type SnapshotInput } from '../../../runtime/scheduling/src/index.ts';
import { simulate, workload } from '../../../runtime/simulator/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { world } from '../../support/scheduling/jobs.ts';
import { baseline, quotaBoundMs } from '../../support/scheduling/kueue-workload.ts';

/** Seconds of processor time, which others on the machine do not lengthen. */
function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Jobs of at most a second are not worth preempting. */
const policy = { minRunMs: 1000 };

test("Kueue's baseline ends within 5 % of what its quota allows, and never before", () => {
  const bound = quotaBoundMs(baseline, 'cohort-0/queue-0');
  expect(bound).toBe(66_000);
  const seconds = cpuSeconds(() => {
    const { metrics } = simulate(workload.parse({ ...baseline, policy }));
    expect(metrics.ended).toBe(15_000);
    expect(metrics.makespanMs).toBeGreaterThanOrEqual(bound);
    expect(metrics.makespanMs).toBeLessThanOrEqual(1.05 * bound);
  });
  expect(seconds).toBeLessThan(5);
});

test('4,000 jobs that 500 full nodes cannot hold have their reasons in a second', () => {
  const full: SnapshotInput = {
    pools: [{ name: 'gpus' }],
    presets: [
      { name: 'gpu', milliCpu: 1000, memoryMiB: 1024, gpu: { kind: 'whole', count: 1 } },
      { name: 'node', milliCpu: 1000, memoryMiB: 1024, gpu: { kind: 'whole', count: 8 } },
    ],
    scopes: Array.from({ length: 40 }, (_, n) => ({ name: `project-${n}` })),
    nodes: Array.from({ length: 500 }, (_, n) => ({
      name: `node-${n}`,
      pool: 'gpus',
      milliCpu: 64_000,
      memoryMiB: 65_536,
      gpu: { model: 'H100', count: 8, memoryMiB: 80_000 },
    })),
    jobs: [
      ...Array.from({ length: 500 }, (_, n) => ({
        id: `full-${n}`,
        queue: 'project-0',
        submittedAt: 0,
        lifeSpanMs: 3_600_000 + n,
        groups: [{ preset: 'node' }],
        running: { startedAt: 0, pods: [{ group: 0, node: `node-${n}`, gpus: [0, 1, 2, 3, 4, 5, 6, 7] }] },
      })),
      ...Array.from({ length: 4000 }, (_, n) => ({
        id: `waits-${n}`,
        queue: `project-${n % 40}`,
        submittedAt: 0,
        groups: [{ preset: 'gpu' }],
      })),
    ],
  };
  const scheduler = new Scheduler(world(full), PLACEMENTS);
  const seconds = cpuSeconds(() => {
    expect(scheduler.cycle(0).decisions).toEqual([]);
    const explainer = new Explainer(scheduler.state);
    for (let n = 0; n < 4000; n += 1) {
      const reason = explainer.explain(`waits-${n}`);
      expect(reason?.nodes[0]?.lacking).toEqual({ gpu: 500 });
      expect(reason?.expected.at).toBe(3_600_000);
    }
  });
  expect(seconds).toBeLessThan(1);
});
