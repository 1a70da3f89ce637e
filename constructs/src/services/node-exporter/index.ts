import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { z } from 'zod';
import { scratch } from '../../base/mount.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { NODE_PANELS } from '../../dashboards/shared-panels.ts';

const config = z.strictObject({}).prefault({});
type Config = z.infer<typeof config>;

const PORT = 9100;
/** An empty folder on the disk of the node's Pods: what is said of its file system is said of that disk. */
const DISK = '/node-disk';
const NAMES = '/run/node';

/** The kernel counts these for the whole node, so a container's own /proc tells them. */
const COLLECTORS = [
  'cpu',
  'diskstats',
  'filefd',
  'filesystem',
  'loadavg',
  'meminfo',
  'pressure',
  'stat',
  'textfile',
  'vmstat',
];

/** A metric that says which node this is, then node exporter itself. */
const START = `printf 'delos_node_info{node="%s"} 1\\n' "$DELOS_NODE" >${NAMES}/node.prom && exec /bin/node_exporter "$@"`;

const answers = { httpGet: { path: '/', port: k8s.IntOrString.fromString('http') }, timeoutSeconds: 5 };

/**
 * Tells of each node's processors, memory and disk. It mounts nothing of the node and is no user of its network: so it
 * knows nothing of other file systems and of traffic.
 */
export class NodeExporter extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, { namespace, image, resources, userNamespaces }: Site<Config>) {
    super(scope, id);
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: nodeExporter.name,
      runs: { kind: 'daemon-set' },
      image,
      user: nodeExporter.user,
      userNamespace: userNamespaces,
      resources,
      command: [
        ...['/bin/sh', '-c', START, 'sh'],
        '--collector.disable-defaults',
        ...COLLECTORS.map((name) => `--collector.${name}`),
        `--collector.filesystem.mount-points-include=^${DISK}$`,
        `--collector.textfile.directory=${NAMES}`,
        `--web.listen-address=:${PORT}`,
        '--web.max-requests=4',
      ],
      env: () => [
        { name: 'DELOS_NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        goMemoryLimit(resources),
        { name: 'GOMAXPROCS', value: '1' },
      ],
      ports: { http: PORT },
      probes: {
        startupProbe: { ...answers, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...answers, periodSeconds: 10, failureThreshold: 3 },
        livenessProbe: { ...answers, periodSeconds: 10, failureThreshold: 6 },
      },
      mounts: () => [scratch('node-disk', DISK, '1Mi'), scratch('names', NAMES, '1Mi', 'memory')],
    });
  }
}

/** The service that tells of nodes. */
export const nodeExporter: ServiceDescriptor<Config, NodeExporter> = {
  name: 'node-exporter',
  idea: 'node exporter: processors, memory and disk of each node',
  image: 'node-exporter',
  config,
  user: 60632,
  resources: { cpu: '10m', memory: '16Mi', memoryLimit: '64Mi' },
  metrics: { port: 'http' },
  alerts: [
    {
      name: 'NodeDiskFull',
      severity: 'critical',
      expr: 'node:disk_used:ratio > 0.9',
      for: '5m',
      summary: 'The disk of {{ $labels.node }} is {{ $value | humanizePercentage }} full',
    },
    {
      name: 'NodeMemoryShort',
      severity: 'warning',
      expr: 'node:memory_used:ratio > 0.95',
      for: '10m',
      summary: '{{ $labels.node }} has used {{ $value | humanizePercentage }} of its memory',
    },
  ],
  panels: NODE_PANELS,
  wanted: ({ monitoring }) => monitoring.enabled,
  late: true,
  build: (scope, at) => new NodeExporter(scope, 'node-exporter', at),
};
