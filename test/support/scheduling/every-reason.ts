import fc from 'fast-check';
import { expect } from 'vitest';
import { Explainer, type Job, type Reason, type Snapshot, snapshotOf } from '../../../runtime/scheduling/src/index.ts';
import { anyHistory, play } from './random-history.ts';

export const REASON_RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 60) };

export const waiting = (world: Snapshot): readonly Job[] => world.jobs.filter(({ running }) => running === undefined);

/** Every waiting job after every cycle, with its reason. */
export function everyReason(
  judge: (world: Snapshot, job: Job, reason: Reason) => void,
  histories = anyHistory,
  runs = REASON_RUNS,
): void {
  fc.assert(
    fc.property(histories, (history) => {
      play(history, (_before, _decided, scheduler) => {
        const world = snapshotOf(scheduler);
        const explainer = new Explainer(scheduler.state);
        for (const job of waiting(world)) {
          const reason = explainer.explain(job.id);
          expect(reason, job.id).toBeDefined();
          if (reason !== undefined) judge(world, job, reason);
        }
        // Asking changes nothing.
        expect(snapshotOf(scheduler)).toEqual(world);
      });
    }),
    runs,
  );
}
