import { ACME_SECRET, entranceNames, type PlatformConfig } from '@delos/core';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { plainHttp } from '../../public-url.ts';
import { GATEWAY_RESOURCES, GATEWAY_USER, Gateway } from './gateway.ts';
import { CERTIFICATE_END } from './start-script.ts';

/** What external-dns reads. @see https://kubernetes-sigs.github.io/external-dns/latest/docs/annotations/annotations/ */
const externalDns = ({ domain, dns: { ttlSeconds, addresses } }: PlatformConfig): Readonly<Record<string, string>> => ({
  'external-dns.alpha.kubernetes.io/hostname': entranceNames(domain).join(','),
  'external-dns.alpha.kubernetes.io/ttl': String(ttlSeconds),
  ...(addresses.length === 0 ? {} : { 'external-dns.alpha.kubernetes.io/target': addresses.join(',') }),
});

/** The service that everything from outside comes through. */
export const gateway: ServiceDescriptor<Replicas, Gateway> = {
  name: 'gateway',
  idea: 'the gateway: the one way in',
  image: 'caddy',
  config: replicas,
  user: GATEWAY_USER,
  resources: GATEWAY_RESOURCES,
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'GatewayErrors',
      severity: 'warning',
      // Less what jobs answer so, and the router of jobs for those that do not answer yet.
      expr: '(sum(rate(caddy_http_request_duration_seconds_count{code=~"502|503|504"}[5m])) - (sum(rate(delos_job_router_answers_total{code=~"502|503|504"}[5m])) or vector(0))) / sum(rate(caddy_http_request_duration_seconds_count[5m])) > 0.05',
      for: '10m',
      summary:
        'The gateway answers more than one request of twenty with an error, since a service behind it does not answer',
    },
    {
      name: 'CertificateEnds',
      severity: 'warning',
      expr: `${CERTIFICATE_END} - time() < 30 * 86400`,
      for: '15m',
      summary: 'The certificate that the gateway shows ends within 30 days',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [{ expr: 'sum by (code) (rate(caddy_http_request_duration_seconds_count[5m]))', legend: '{{code}}' }],
    },
    {
      title: 'Slowest of a hundred requests',
      unit: 'seconds',
      series: [
        {
          expr: 'histogram_quantile(0.99, sum by (le) (rate(caddy_http_request_duration_seconds_bucket[5m])))',
          legend: 'p99',
        },
      ],
    },
    {
      title: 'Bytes answered',
      unit: 'bytes-per-second',
      series: [{ expr: 'sum(rate(caddy_http_response_size_bytes_sum[5m]))', legend: 'answers' }],
    },
  ],
  build: (scope, { own, config, publicUrl, exposure, namespace, image, resources, userNamespaces }) =>
    new Gateway(scope, 'gateway', {
      namespace,
      image,
      watched: true,
      user: gateway.user,
      resources,
      replicas: own.replicas,
      publicUrl,
      domain: config.domain,
      ...(config.gateway.tls?.given === undefined ? {} : { certificate: config.gateway.tls.given }),
      ...(config.gateway.tls?.acme === undefined ? {} : { later: ACME_SECRET }),
      http: plainHttp(config),
      exposure,
      userNamespaces,
      httpPort: config.gateway.httpPort || 80,
      httpsPort: config.gateway.httpsPort || 443,
      ...(config.dns.externalDns ? { annotations: externalDns(config) } : {}),
    }),
};
