import { OPEN_PHASES, REASONS } from '@delos/core';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { schedulerMetrics } from '../../../../runtime/service/src/scheduler/metrics.ts';
import { type Tally, tallyOf } from '../../../../runtime/service/src/scheduler/tally.ts';

const waits = (reason: string | null) => ({ phase: 'queued', reason }) as const;

test('jobs are counted by the step that they are at, and by why they wait, with a zero for every word that none has', () => {
  const { phases, waiting } = tallyOf([
    waits('NoCapacity'),
    waits('NoCapacity'),
    waits('DiskInUse'),
    { phase: 'running', reason: null },
    { phase: 'ended', reason: 'OOMKilled' },
  ]);
  expect(Object.fromEntries(phases)).toEqual({ queued: 3, admitted: 0, running: 1, stopping: 0, ended: 1 });
  expect(waiting.get('NoCapacity')).toBe(2);
  expect(waiting.get('DiskInUse')).toBe(1);
  // Why a job ended is not why one waits.
  expect(waiting.get('OOMKilled')).toBe(0);
  expect([...phases.keys()]).toEqual([...OPEN_PHASES]);
});

test('whatever words jobs bring, there are no more series than words of ours', () => {
  const strange = Array.from({ length: 1_000 }, (_, index) => waits(`Reason${index}`));
  const { waiting } = tallyOf([...strange, waits(null)]);
  expect(waiting.size).toBe(REASONS.length + 1);
  expect(waiting.get('Other')).toBe(1_001);
});

test('a scheduler that does not decide tells no jobs, since the one that does tells them', async () => {
  const registry = new Registry();
  let tally: Tally | undefined = tallyOf([waits('NoCapacity')]);
  const metrics = schedulerMetrics(registry, () => (tally === undefined ? [] : [[undefined, tally]]));
  metrics.leads(undefined, true);
  metrics.round(undefined, { seconds: 0.002, queued: 1, admitted: 0, preempted: 0 });
  const leading = await registry.metrics();
  expect(leading).toContain('delos_scheduler_waiting_jobs{reason="NoCapacity"} 1');
  expect(leading).toContain('delos_jobs{phase="queued"} 1');
  expect(leading).toContain('delos_scheduler_queued_jobs 1');
  tally = undefined;
  metrics.leads(undefined, false);
  const standingBy = await registry.metrics();
  expect(standingBy).not.toMatch(/^delos_(jobs|scheduler_waiting_jobs)\{/m);
  expect(standingBy).toContain('delos_scheduler_queued_jobs 0');
  expect(standingBy).toContain('delos_scheduler_leads 0');
});
