import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LoopObserver } from './loop.ts';
import type { Tally } from './tally.ts';

/** What a scheduler tells of itself. */
export interface SchedulerMetrics extends Pick<LoopObserver, 'round'> {
  /** It decides from now on, or no more. */
  leads(leads: boolean): void;
}

/** @param tally asked when somebody looks; undefined where this scheduler does not decide: the one that does tells */
export function schedulerMetrics(registry: Registry, tally: () => Tally | undefined): SchedulerMetrics {
  const registers = [registry];
  const leads = new Gauge({ name: 'delos_scheduler_leads', help: '1 while this one decides', registers });
  const queued = new Gauge({ name: 'delos_scheduler_queued_jobs', help: 'Jobs that wait for admission', registers });
  const admitted = new Counter({ name: 'delos_scheduler_admitted_total', help: 'Jobs admitted', registers });
  const preempted = new Counter({ name: 'delos_scheduler_preempted_total', help: 'Jobs preempted', registers });
  const seconds = new Histogram({
    name: 'delos_scheduler_round_seconds',
    help: 'Duration of one round, writes included',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
    registers,
  });
  new Gauge({
    name: 'delos_jobs',
    help: 'Jobs that are not over, by the step that they are at',
    labelNames: ['phase'],
    registers,
    collect() {
      setAll(this, 'phase', tally()?.phases);
    },
  });
  new Gauge({
    name: 'delos_scheduler_waiting_jobs',
    help: 'Jobs in the queue, by why they wait',
    labelNames: ['reason'],
    registers,
    collect() {
      setAll(this, 'reason', tally()?.waiting);
    },
  });
  return {
    leads: (value) => {
      leads.set(value ? 1 : 0);
      if (!value) queued.set(0);
    },
    round: (round) => {
      queued.set(round.queued);
      admitted.inc(round.admitted);
      preempted.inc(round.preempted);
      seconds.observe(round.seconds);
    },
  };
}

function setAll<Label extends string>(
  gauge: Gauge<Label>,
  label: Label,
  counts: ReadonlyMap<string, number> | undefined,
): void {
  gauge.reset();
  for (const [word, count] of counts ?? []) gauge.set({ [label]: word } as Record<Label, string>, count);
}
