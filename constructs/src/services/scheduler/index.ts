import { Construct } from 'constructs';
import { ownWorkload, runs } from '../../base/own-service.ts';
import { databaseEnv, databaseSecrets, mounted } from '../../base/secret-folder.ts';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';
import { DECISIONS_PANEL, ROUNDS_PANEL } from '../../dashboards/shared-panels.ts';

/** Decides which job runs where. It waits by itself for the tables that the control API makes: their starts overlap. */
export class Scheduler extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Replicas>) {
    super(scope, id);
    const { database } = at;
    this.workload = ownWorkload(this, scheduler, at, {
      runs: { kind: 'deployment', replicas: at.own.replicas },
      command: runs('scheduler'),
      mounts: () => databaseSecrets(database).map(mounted),
      env: () => databaseEnv(database),
    });
    this.workload.reach(database.peer);
    this.workload.after(...database.ready);
  }
}

const WITH_CREDITS = 'an organization has credits';

/** The service that decides which job runs where. */
export const scheduler: ServiceDescriptor<Replicas, Scheduler> = {
  name: 'scheduler',
  idea: 'the scheduler: which job runs where, and when',
  image: 'runtime',
  config: replicas,
  user: 60604,
  resources: { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' },
  // The control API's.
  database: 'delos',
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'SchedulerStands',
      severity: 'critical',
      expr: 'sum by (job) (delos_scheduler_leads) < 1',
      for: '2m',
      summary: 'No scheduler decides: jobs wait, and deadlines are not kept',
    },
    {
      name: 'SchedulerSlow',
      severity: 'warning',
      expr: 'job:delos_scheduler_round_seconds:p99_5m > 1',
      for: '10m',
      summary: 'One round of the scheduler of a hundred takes more than 1 s',
    },
    {
      name: 'QueueStands',
      severity: 'warning',
      expr: 'sum by (job) (delos_scheduler_queued_jobs) > 0 and sum by (job) (increase(delos_scheduler_admitted_total[1h])) == 0',
      for: '1h',
      summary: 'Jobs have waited for an hour, and none was admitted',
    },
    {
      name: 'CreditsEnd',
      severity: 'warning',
      expr: 'max by (organization) (delos_credits_seconds_left) < 86400',
      for: '10m',
      summary: 'Credits of organization {{ $labels.organization }} end within a day',
    },
  ],
  panels: [
    ROUNDS_PANEL,
    DECISIONS_PANEL,
    {
      title: 'Which one decides',
      unit: 'count',
      kind: 'now',
      series: [{ expr: 'delos_scheduler_leads', legend: '{{instance}}' }],
    },
    {
      title: 'Credits left',
      unit: 'count',
      series: [{ expr: 'max by (organization) (delos_credits_left)', legend: '{{organization}}' }],
      emptyUnless: WITH_CREDITS,
    },
    {
      title: 'Credits spent in a day',
      unit: 'count',
      series: [{ expr: 'max by (organization) (delta(delos_credits_spent[1d]))', legend: '{{organization}}' }],
      emptyUnless: WITH_CREDITS,
    },
  ],
  build: (scope, at) => new Scheduler(scope, 'scheduler', at),
};
