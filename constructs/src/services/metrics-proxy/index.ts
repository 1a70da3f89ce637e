import { METRICS_LABEL, METRICS_PATH, METRICS_RIGHTS } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import { DNS } from '../../base/connections.ts';
import { hostOf, PORTS } from '../../base/names.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { env } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { Workload } from '../../base/workload.ts';
import { isEnabled } from '../../service-sections.ts';
import { controlApi } from '../control-api/index.ts';
import { prometheus } from '../prometheus/index.ts';
import { PROMETHEUS_PORT } from '../prometheus/prometheus.ts';

const config = z.strictObject({}).prefault({});
type Config = z.infer<typeof config>;

/** What a query may be, as long as it is. */
const MAX_QUERY_BYTES = 64 * 1024;

/**
 * Gives users the metrics of their own projects: a matcher for these is added to every selector of a query. It has no secret. It asks
 * the control API with the caller's own token.
 */
export class MetricsProxy extends Construct {
  readonly workload: Workload;

  constructor(scope: Construct, id: string, at: Site<Config>) {
    super(scope, id);
    const { namespace, image, resources } = at;
    const rights = at.get(controlApi).workload;
    this.workload = new Workload(this, 'workload', {
      namespace,
      name: metricsProxy.name,
      runs: { kind: 'deployment', replicas: 1 },
      image,
      user: metricsProxy.user,
      userNamespace: at.userNamespaces,
      resources,
      command: ['/bin/metrics-proxy'],
      ports: { http: PORTS.http, internal: PORTS.internal },
      probes: OWN_PROBES,
      env: () => [
        env('DELOS_PORT', String(PORTS.http)),
        env('DELOS_INTERNAL_PORT', String(PORTS.internal)),
        env('DELOS_PREFIX', METRICS_PATH),
        env('DELOS_LABEL', METRICS_LABEL),
        env('DELOS_PROMETHEUS_URL', `http://${hostOf(prometheus.name, namespace.name)}:${PROMETHEUS_PORT}`),
        env('DELOS_SCOPE_URL', `http://${rights.host}:${rights.portOf('http')}${METRICS_RIGHTS}`),
        goMemoryLimit(resources),
      ],
    });
    this.workload.reach(DNS, rights.peer('http'));
    // The first deployment may be without it.
    const asked = at.find(prometheus)?.workload;
    if (asked !== undefined) this.workload.reach(asked.peer('http'));
  }
}

/** The service that shows metrics to users. */
export const metricsProxy: ServiceDescriptor<Config, MetricsProxy> = {
  name: 'metrics-proxy',
  idea: 'the proxy of metrics: shows each user those of the own projects',
  image: 'metrics-proxy',
  config,
  user: 60633,
  resources: { cpu: '10m', memory: '16Mi', memoryLimit: '64Mi' },
  needs: [controlApi],
  routes: [{ paths: [`${METRICS_PATH}/*`], port: 'http', maxBodyBytes: MAX_QUERY_BYTES }],
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'MetricsUnanswered',
      severity: 'warning',
      expr: 'sum(rate(delos_metrics_proxy_requests_total{status=~"5.."}[5m])) / sum(rate(delos_metrics_proxy_requests_total[5m])) > 0.2',
      for: '10m',
      summary: 'More than one of five questions for metrics is not answered',
    },
  ],
  panels: [
    {
      title: 'Questions',
      unit: 'per-second',
      series: [{ expr: 'sum by (status) (rate(delos_metrics_proxy_requests_total[5m]))', legend: '{{status}}' }],
      emptyUnless: 'somebody has asked',
    },
  ],
  // It has nothing to show without Prometheus.
  wanted: (config) => config.monitoring.enabled && isEnabled(config, prometheus),
  build: (scope, at) => new MetricsProxy(scope, 'metrics-proxy', at),
};
