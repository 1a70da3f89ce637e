import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Round } from './loop.ts';
import type { Tally } from './tally.ts';

/**
 * What a scheduler tells of each cluster that it decides for. The platform's own cluster has no name here, and its series have no
 * label `cluster`. Series of a cluster that has joined have that label.
 */
export type OfClusters<T> = () => readonly (readonly [cluster: string | undefined, told: T])[];

/** The label of a cluster. */
export const ofCluster = (cluster: string | undefined): { cluster?: string } =>
  cluster === undefined ? {} : { cluster };

/** What a scheduler tells of itself. */
export interface SchedulerMetrics {
  /** It decides for this cluster from now on, or no more. */
  leads(cluster: string | undefined, leads: boolean): void;
  round(cluster: string | undefined, round: Round): void;
}

/** @param tally asked when somebody looks */
export function schedulerMetrics(registry: Registry, tally: OfClusters<Tally>): SchedulerMetrics {
  const registers = [registry];
  const leads = new Gauge({ name: 'delos_scheduler_leads', help: '1 while this one decides', registers });
  const queued = new Gauge({
    name: 'delos_scheduler_queued_jobs',
    help: 'Jobs that wait for admission',
    labelNames: ['cluster'],
    registers,
  });
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
    labelNames: ['phase', 'cluster'],
    registers,
    collect() {
      setAll(this, 'phase', tally(), ({ phases }) => phases);
    },
  });
  new Gauge({
    name: 'delos_scheduler_waiting_jobs',
    help: 'Jobs in the queue, by why they wait',
    labelNames: ['reason', 'cluster'],
    registers,
    collect() {
      setAll(this, 'reason', tally(), ({ waiting }) => waiting);
    },
  });
  return {
    leads: (cluster, value) => {
      // Whether anybody decides is asked of the platform's own cluster: for the others the same schedulers do.
      if (cluster === undefined) leads.set(value ? 1 : 0);
      if (!value) queued.set(ofCluster(cluster), 0);
    },
    round: (cluster, round) => {
      queued.set(ofCluster(cluster), round.queued);
      admitted.inc(round.admitted);
      preempted.inc(round.preempted);
      seconds.observe(round.seconds);
    },
  };
}

function setAll<Label extends string>(
  gauge: Gauge<Label | 'cluster'>,
  label: Label,
  tallies: ReturnType<OfClusters<Tally>>,
  countsOf: (tally: Tally) => ReadonlyMap<string, number>,
): void {
  gauge.reset();
  for (const [cluster, tally] of tallies) {
    for (const [word, count] of countsOf(tally))
      gauge.set({ [label]: word, ...ofCluster(cluster) } as Partial<Record<Label | 'cluster', string>>, count);
  }
}
