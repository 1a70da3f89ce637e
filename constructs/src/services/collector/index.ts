import { Construct } from 'constructs';
import { z } from 'zod';
import { nodeFolder } from '../../base/mount.ts';
import { ownWorkload, runs } from '../../base/own-service.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';
import type { AgentsEntrance } from '../control-api/agents-entrance.ts';
import { controlApi } from '../control-api/index.ts';

const config = z.strictObject({}).prefault({});
type Config = z.infer<typeof config>;

/** Reads the logs of jobs from the disk of each node. */
export class Collector extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Config>) {
    super(scope, id);
    const api = at.get<AgentsEntrance>(controlApi);
    const token = api.collectorToken(this, at.namespace);
    this.workload = ownWorkload(this, collector, at, {
      runs: { kind: 'daemon-set' },
      command: runs('collector'),
      // The group that container runtimes let read a container's log.
      groups: [0],
      mounts: () => [mounted(token.secret), nodeFolder('/var/log/pods')],
      env: () => [
        ...api.address(),
        env('DELOS_COLLECTOR_TOKEN_FILE', fileOf(token)),
        env('DELOS_LOG_MIN_FREE', String(at.config.logs.minFreeDisk)),
        { name: 'DELOS_NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ],
    });
    api.lead(this.workload, this, at.namespace);
  }
}

/** The service that reads the logs of jobs. */
export const collector: ServiceDescriptor<Config, Collector> = {
  name: 'collector',
  idea: 'the log collector, one on every node',
  image: 'runtime',
  config,
  user: 60606,
  onNodes: true,
  resources: { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'LogsHeld',
      severity: 'critical',
      expr: 'delos_collector_held > 0',
      for: '5m',
      summary: 'A node has hardly any disk left: logs of jobs are held back there, and old ones are lost',
    },
  ],
  panels: [
    {
      title: 'Logs read',
      unit: 'bytes-per-second',
      series: [{ expr: 'sum by (instance) (rate(delos_collector_log_bytes_total[5m]))', legend: '{{instance}}' }],
    },
    {
      title: 'Logs that it reads',
      unit: 'count',
      series: [
        { expr: 'sum(delos_collector_logs)', legend: 'logs' },
        { expr: 'sum(delos_collector_held)', legend: 'held back' },
      ],
    },
  ],
  joined: true,
  needs: [controlApi],
  build: (scope, at) => new Collector(scope, 'collector', at),
};
