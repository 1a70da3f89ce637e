import { expect, test } from 'vitest';
import { readUsage } from '../../../../runtime/service/src/agent/jobs/usage.ts';

const metrics = (name: string) => ({
  kind: 'PodMetrics',
  timestamp: '2026-01-01T00:00:10Z',
  window: '15s',
  containers: [
    { name: 'sidecar', usage: { cpu: '3', memory: '1Gi' } },
    { name, usage: { cpu: '250000000n', memory: '2048Ki' } },
  ],
});

test('the job’s own container is read, in cores, bytes and seconds', () => {
  expect(readUsage(metrics('main'))).toEqual({ cpu: 0.25, memory_bytes: 2 ** 21, timestamp: 1_767_225_610 });
});

test('a Pod whose container is not measured yet has no usage', () => {
  expect(readUsage(metrics('other'))).toBeUndefined();
});

test('what is no measurement is refused', () => {
  expect(() => readUsage({ kind: 'Status', code: 500 })).toThrow(/timestamp/);
});
