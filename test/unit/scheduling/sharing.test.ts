import { expect, test } from 'vitest';
import { decided } from '../../support/scheduling/jobs.ts';

test.each([
  // A device serves 48 clients; each has 21 thousandths of it at least.
  ['mps', 47],
  ['time-slice', 60],
] as const)('of jobs that ask for a thousandth of a device by %s, %i share one', (sharing, most) => {
  const { lines } = decided({
    pools: [{ name: 'p' }],
    nodes: [{ name: 'n', pool: 'p', milliCpu: 0, memoryMiB: 0, gpu: { model: 'A100', count: 1, memoryMiB: 40_000 } }],
    presets: [{ name: 'bit', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'fraction', milli: 1, sharing } }],
    scopes: [{ name: 'o' }],
    jobs: Array.from({ length: 60 }, (_, n) => ({
      id: `j${n}`,
      queue: 'o',
      submittedAt: n,
      groups: [{ preset: 'bit' }],
    })),
  });
  expect(lines).toHaveLength(most);
});
