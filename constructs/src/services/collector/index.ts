import type { LogSinkSettings } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import { DNS } from '../../base/connections.ts';
import { SecretFolder } from '../../base/external/secret-references.ts';
import { nodeFolder } from '../../base/mount.ts';
import { ownWorkload, runs } from '../../base/own-service.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';
import { portOfUrl } from '../../url-port.ts';
import type { AgentsEntrance } from '../control-api/agents-entrance.ts';
import { controlApi } from '../control-api/index.ts';
import { victoriaLogs } from '../victoria-logs/index.ts';

const config = z.strictObject({}).prefault({});
type Config = z.infer<typeof config>;

const SINK_SECRETS = '/etc/delos-log-sinks';

/** Reads the logs of jobs from the disk of each node. */
export class Collector extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Config>) {
    super(scope, id);
    const api = at.get<AgentsEntrance>(controlApi);
    const { sinks } = at.config.logs;
    const search = at.find(victoriaLogs)?.workload;
    const secrets = new SecretFolder(this, {
      namespace: at.namespace,
      prefix: 'log-sink',
      folder: SINK_SECRETS,
      references: sinks.flatMap(({ secret }, nth) => (secret === undefined ? [] : [[String(nth), secret] as const])),
    });
    const lines = (): readonly LogSinkSettings[] => [
      ...(search === undefined ? [] : [{ kind: 'victoria-logs' as const, url: search.url('http') }]),
      ...sinks.map(({ kind, url, user, secret, index }, nth) => ({
        kind,
        url,
        ...(user === undefined ? {} : { user }),
        ...(secret === undefined ? {} : { secretFile: secrets.fileOf(String(nth)) }),
        ...(index === undefined ? {} : { index }),
      })),
    ];
    const token = api.collectorToken(this, at.namespace);
    this.workload = ownWorkload(this, collector, at, {
      runs: { kind: 'daemon-set' },
      command: runs('collector'),
      // The group that container runtimes let read a container's log.
      groups: [0],
      mounts: () => [mounted(token.secret), nodeFolder('/var/log/pods'), ...secrets.mounts()],
      env: () => [
        ...api.address(),
        env('DELOS_COLLECTOR_TOKEN_FILE', fileOf(token)),
        env('DELOS_LOG_MIN_FREE', String(at.config.logs.minFreeDisk)),
        ...(lines().length === 0 ? [] : [env('DELOS_LOG_SINKS', JSON.stringify(lines()))]),
        { name: 'DELOS_NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ],
    });
    api.lead(this.workload, this, at.namespace);
    if (search !== undefined) this.workload.reach(search.peer('http'));
    const outside = [...new Set(sinks.map(({ url }) => portOfUrl(url)))];
    if (outside.length > 0) this.workload.reach({ kind: 'anyone', ports: outside }, DNS);
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
    {
      name: 'LogsNotSearchable',
      severity: 'warning',
      expr: 'max by (sink) (delos_collector_search_failing_seconds) > 300',
      for: '5m',
      summary: '{{ $labels.sink }} takes no lines: newer ones cannot be searched there',
    },
    {
      name: 'SearchedLogsLost',
      severity: 'warning',
      expr: 'sum by (sink) (increase(delos_collector_search_lost_bytes_total[15m])) > 0 or sum by (sink) (increase(delos_collector_search_refused_lines_total[15m])) > 0',
      for: '1m',
      summary: 'Lines will never be found in {{ $labels.sink }}: their node deleted them, or it refuses them',
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
    {
      title: 'Lines brought to where they are searched',
      unit: 'per-second',
      series: [
        { expr: 'sum by (sink) (rate(delos_collector_search_lines_total[5m]))', legend: '{{sink}}' },
        { expr: 'sum by (sink) (rate(delos_collector_search_resent_lines_total[5m]))', legend: '{{sink}}, once more' },
      ],
      emptyUnless: 'logs can be searched, here or in a store of `logs.sinks`',
    },
  ],
  joined: true,
  needs: [controlApi],
  build: (scope, at) => new Collector(scope, 'collector', at),
};
