import { EGRESS_PORTS, noProxy, proxyUrls, SERVICE_NAMES, type SiteProxy } from '@delos/core';
import { Construct } from 'constructs';
import type { Peer } from '../../base/connections.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import type { PodProxy } from '../../base/outward/way-out.ts';
import { ownWorkload, runs } from '../../base/own-service.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';

/** Hands requests to the site's proxy. It alone reads the proxy's password, so that no environment has it. */
export class Egress extends Construct {
  readonly workload: Workload;
  /** The proxy that the platform's Pods are told of. */
  readonly proxy: PodProxy;
  /** The one that jobs are told of; undefined where they have none. */
  readonly forJobs: Omit<PodProxy, 'peer'> | undefined;

  constructor(scope: Construct, id: string, at: Site<Replicas>) {
    super(scope, id);
    const { config, namespace, context, authorities } = at;
    const proxy = config.network.proxy ?? { no: [], addresses: [] };
    const { credentials } = proxy;
    const login =
      credentials === undefined ? undefined : secretKeyOf(this, `${egress.name}-login`, namespace, credentials);
    const urls = proxyUrls(proxy);
    const { jobs } = config.network;
    this.workload = ownWorkload(this, egress, at, {
      runs: { kind: 'deployment', replicas: at.own.replicas },
      command: runs('egress'),
      ports: { proxy: EGRESS_PORTS.platform, ...(jobs.proxy ? { jobs: EGRESS_PORTS.jobs } : {}) },
      mounts: () => [
        ...(login === undefined ? [] : [mounted(login.secret)]),
        ...(authorities === undefined ? [] : [authorities.mount()]),
      ],
      env: () => [
        env('DELOS_PROXY_HTTP', urls.http),
        env('DELOS_PROXY_HTTPS', urls.https),
        ...(login === undefined ? [] : [env('DELOS_PROXY_CREDENTIALS_FILE', fileOf(login))]),
        ...(authorities === undefined ? [] : [env('DELOS_AUTHORITIES_FILE', authorities.file)]),
        env('DELOS_EGRESS_JOBS', String(jobs.proxy)),
      ],
    });
    if (authorities !== undefined) this.workload.after(authorities);
    this.workload.reach(siteProxyPeer(proxy));
    const none = noProxy(config, context.networks ?? []);
    this.proxy = { url: this.workload.url('proxy'), none, peer: this.workload.peer('proxy') };
    this.forJobs = jobs.proxy ? { url: this.workload.url('jobs'), none } : undefined;
    // Jobs are in namespaces that come and go; their own policies say that they may.
    if (jobs.proxy) this.workload.admit({ kind: 'anyone', ports: [EGRESS_PORTS.jobs] });
  }
}

const portOf = ({ port, protocol }: URL): number => (port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port));

/** A NetworkPolicy knows addresses, and the name of a proxy is most likely none. */
function siteProxyPeer(proxy: Pick<SiteProxy, 'http' | 'https' | 'addresses'>): Peer {
  const { http, https } = proxyUrls(proxy);
  const ports = [...new Set([http, https].flatMap((url) => (url === '' ? [] : [portOf(new URL(url))])))];
  return proxy.addresses.length === 0
    ? { kind: 'anyone', ports }
    : { kind: 'addresses', addresses: proxy.addresses, ports };
}

/** The service that leads out of the cluster. */
export const egress: ServiceDescriptor<Replicas, Egress> = {
  name: SERVICE_NAMES.egress,
  idea: 'the way out: hands requests to the site’s proxy, and alone knows its password',
  image: 'runtime',
  config: replicas,
  user: 60611,
  resources: { cpu: '10m', memory: '64Mi', memoryLimit: '256Mi' },
  joined: true,
  wanted: ({ network }) => network.proxy !== undefined,
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'SiteProxyAway',
      severity: 'warning',
      expr: 'sum by (job) (increase(delos_egress_requests_total{outcome="away"}[5m])) > 0',
      for: '5m',
      summary: 'The proxy of the site does not answer, or does not take the platform’s login',
    },
  ],
  panels: [
    {
      title: 'Requests by the site’s proxy',
      unit: 'per-second',
      series: [{ expr: 'sum by (outcome) (rate(delos_egress_requests_total[5m]))', legend: '{{outcome}}' }],
      emptyUnless: 'the site has a proxy, and something was asked by it',
    },
  ],
  build: (scope, at) => new Egress(scope, 'egress', at),
};
