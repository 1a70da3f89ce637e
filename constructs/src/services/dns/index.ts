import { DNS_NODE_PORT, zoneText } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { ConfigFiles } from '../../base/config-files.ts';
import { DNS } from '../../base/connections.ts';
import { files } from '../../base/mount.ts';
import { labelsOf } from '../../base/names.ts';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import type { Exposure } from '../../entrance.ts';
import { CONFIG, corefile, POD_PORTS } from './files.ts';

const PORT = 53;
/** Port of its Service that answers as the cluster needs it. */
export const INSIDE_PORT = 5353;

const get = (path: string, port: number) => ({ httpGet: { path, port: k8s.IntOrString.fromNumber(port) } });

/** Serves the zone of the platform's names, to the outside and to the cluster. */
export class NameServer extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Replicas>) {
    super(scope, id);
    const { namespace, config, exposure } = at;
    const { domain } = config;
    const zone = new ConfigFiles(this, 'config', {
      namespace,
      name: dns.name,
      labels: labelsOf(dns.name),
      files: () => ({ Corefile: corefile(domain), zone: zoneText(domain, config.dns, config.dns.addresses) }),
    });
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: dns.name,
      runs: { kind: 'deployment', replicas: at.own.replicas },
      image: at.image,
      user: dns.user,
      // The published image's program has the mark.
      lowPorts: true,
      resources: at.resources,
      command: ['/coredns', '-conf', `${CONFIG}/Corefile`],
      // One core at most, whoever asks how often.
      env: () => [goMemoryLimit(at.resources), { name: 'GOMAXPROCS', value: '1' }],
      ports: { outside: POD_PORTS.outside, inside: POD_PORTS.inside, metrics: POD_PORTS.metrics },
      userNamespace: at.userNamespaces,
      probes: {
        startupProbe: { ...get('/health', POD_PORTS.health), periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...get('/ready', POD_PORTS.ready), periodSeconds: 2, timeoutSeconds: 5 },
        livenessProbe: {
          ...get('/health', POD_PORTS.health),
          periodSeconds: 10,
          timeoutSeconds: 5,
          failureThreshold: 6,
        },
      },
      mounts: () => [files(zone, CONFIG, { name: 'config' })],
      service: { ...typeOf(exposure), ports: servicePorts(exposure) },
    });
    this.workload.reach(DNS);
    this.workload.admit({ kind: 'anyone', ports: [POD_PORTS.outside, POD_PORTS.inside], udp: true });
  }
}

function typeOf({ kind }: Exposure): Pick<k8s.ServiceSpec, 'type' | 'externalTrafficPolicy'> {
  if (kind === 'cluster-ip') return { type: 'ClusterIP' };
  // Who asks is of no concern.
  return { type: kind === 'node-port' ? 'NodePort' : 'LoadBalancer', externalTrafficPolicy: 'Cluster' };
}

function servicePorts({ kind }: Exposure): k8s.ServicePort[] {
  return ['UDP', 'TCP'].flatMap((protocol) => [
    {
      name: `dns-${protocol.toLowerCase()}`,
      port: PORT,
      protocol,
      targetPort: k8s.IntOrString.fromNumber(POD_PORTS.outside),
      ...(kind === 'node-port' ? { nodePort: DNS_NODE_PORT } : {}),
    },
    {
      name: `inside-${protocol.toLowerCase()}`,
      port: INSIDE_PORT,
      protocol,
      targetPort: k8s.IntOrString.fromNumber(POD_PORTS.inside),
    },
  ]);
}

/** The service that answers for the platform's names. */
export const dns: ServiceDescriptor<Replicas, NameServer> = {
  name: 'dns',
  idea: 'the name server: answers for the platform’s names, outside and in the cluster',
  image: 'coredns',
  config: replicas,
  user: 60612,
  resources: { cpu: '10m', memory: '24Mi', memoryLimit: '96Mi' },
  optional: true,
  metrics: { port: 'metrics' },
  alerts: [
    {
      name: 'NamesFail',
      severity: 'warning',
      expr: 'sum by (job) (rate(coredns_dns_responses_total{job="dns",rcode="SERVFAIL"}[5m])) > 0.1',
      for: '5m',
      summary: 'The name server of the platform cannot answer for the platform’s names',
    },
  ],
  panels: [
    {
      title: 'Answers of the name server',
      unit: 'per-second',
      series: [{ expr: 'sum by (rcode) (rate(coredns_dns_responses_total{job="dns"}[5m]))', legend: '{{rcode}}' }],
      emptyUnless: 'services.dns is on, and somebody has asked for a name',
    },
  ],
  build: (scope, at) => new NameServer(scope, 'dns', at),
};
