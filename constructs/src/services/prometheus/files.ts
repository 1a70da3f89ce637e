import { yamlText } from '@delos/core';
import type { Alert } from '../../base/metrics.ts';
import type { RemoteWrite } from './section.ts';

/** Where the files of the ConfigMap are mounted. */
export const CONFIG = '/etc/prometheus';
/** Folder of the Secrets for remote write. */
export const SECRETS = '/etc/prometheus-secrets';

/** Pods that are asked for metrics. */
export interface Target {
  /** Value of the label `job`. */
  readonly job: string;
  /** DNS name that answers with the addresses of all Pods. */
  readonly host: string;
  /** Port number. */
  readonly port: number;
  /** Path. */
  readonly path: string;
  /** It is missed where there is no Pod of it at all. */
  readonly missed: boolean;
}

/** Rules of one service. */
export interface RuleGroup {
  /** Name of the service. */
  readonly name: string;
  /** Its alerts. */
  readonly alerts: readonly Alert[];
}

/** What {@link settings} are made of. */
export interface PrometheusSettings {
  /** Name of the cluster: a label of all that leaves Prometheus. */
  readonly cluster: string;
  readonly everySeconds: number;
  readonly targets: readonly Target[];
  /** `host:port` of Alertmanager. */
  readonly alertmanager: string;
  readonly remoteWrite: readonly RemoteWrite[];
  /** Whether stores are reached by the proxy of its environment. */
  readonly proxied: boolean;
  /** The file that a secret is in, by the secret's name. */
  fileOf(secret: string): string;
}

/**
 * Bounds of one scrape: samples of a Pod, labels of a sample, Pods of a service. They keep every part from filling the
 * memory of Prometheus. A scrape that passes a bound is dropped, and its target counts as down.
 */
export const SCRAPE_BOUNDS = {
  sample_limit: 20_000,
  label_limit: 40,
  label_name_length_limit: 200,
  label_value_length_limit: 1_000,
  target_limit: 5_000,
  body_size_limit: '16MB',
} as const;

/**
 * Prometheus' own configuration. It finds Pods by DNS, so that it needs no Kubernetes token.
 * @see https://prometheus.io/docs/prometheus/latest/configuration/configuration/
 */
export function settings(props: PrometheusSettings): string {
  const every = `${props.everySeconds}s`;
  return yamlText({
    global: {
      scrape_interval: every,
      scrape_timeout: `${Math.min(10, props.everySeconds)}s`,
      evaluation_interval: every,
      external_labels: { cluster: props.cluster },
    },
    rule_files: [`${CONFIG}/rules.yaml`],
    alerting: {
      alertmanagers: [{ timeout: '10s', static_configs: [{ targets: [props.alertmanager] }] }],
    },
    scrape_configs: props.targets.map(({ job, host, port, path }) => ({
      job_name: job,
      metrics_path: path,
      ...SCRAPE_BOUNDS,
      // Each Pod by its own address: by that of its Service, one after another would be asked.
      // With a dot at its end no domain is tried behind the name.
      dns_sd_configs: [{ names: [`${host}.`], type: 'A', port, refresh_interval: every }],
    })),
    ...(props.remoteWrite.length === 0
      ? {}
      : { remote_write: props.remoteWrite.map((store, nth) => remote(store, nth, props)) }),
  });
}

/** Without it, Prometheus leaves the proxy of its environment aside. */
const BY_PROXY = { proxy_from_environment: true } as const;

/** Name of the secret of the nth remote store; undefined where it asks for none. */
export const remoteSecret = ({ password, token }: RemoteWrite, nth: number): string | undefined =>
  password === undefined && token === undefined ? undefined : `remote-${nth}`;

function remote(
  store: RemoteWrite,
  nth: number,
  { proxied, fileOf: file }: Pick<PrometheusSettings, 'proxied' | 'fileOf'>,
): object {
  const { url, user, token } = store;
  const secret = file(remoteSecret(store, nth) ?? '');
  return {
    url,
    remote_timeout: '30s',
    ...(proxied ? BY_PROXY : {}),
    ...(user === undefined ? {} : { basic_auth: { username: user, password_file: secret } }),
    ...(token === undefined ? {} : { authorization: { type: 'Bearer', credentials_file: secret } }),
    // What waits lies in the volume; this bounds what lies in memory.
    queue_config: { capacity: 5_000, max_samples_per_send: 1_000, max_shards: 4 },
  };
}

/** Pods that do not answer, and services of which no Pod is there at all: DNS gives no address for these. */
const serviceDown = (jobs: readonly string[]): Alert => ({
  name: 'ServiceDown',
  severity: 'critical',
  expr: ['up == 0', ...jobs.map((job) => `absent(up{job="${job}"})`)].join(' or '),
  for: '2m',
  summary: '{{ $labels.job }} does not answer',
});

/** Values that dashboards and alerts ask for often, worked out once. */
const RECORDED: Readonly<Record<string, string>> = {
  'job_route:delos_api_requests:rate5m': 'sum by (job, route) (rate(delos_api_request_seconds_count[5m]))',
  'job:delos_api_failures:ratio5m':
    // Of no failure there is no series: it counts as none.
    '(sum by (job) (rate(delos_api_request_seconds_count{status=~"5.."}[5m])) or 0 * sum by (job) (rate(delos_api_request_seconds_count[5m]))) / sum by (job) (rate(delos_api_request_seconds_count[5m]))',
  'job:delos_api_request_seconds:p99_5m':
    'histogram_quantile(0.99, sum by (job, le) (rate(delos_api_request_seconds_bucket[5m])))',
  'job:delos_scheduler_round_seconds:p99_5m':
    'histogram_quantile(0.99, sum by (job, le) (rate(delos_scheduler_round_seconds_bucket[5m])))',
  'node:cpu_used:ratio5m':
    '1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[5m]) * on (instance) group_left (node) delos_node_info)',
  'node:memory_used:ratio':
    '1 - max by (node) (node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * on (instance) group_left (node) delos_node_info)',
  'node:disk_used:ratio':
    '1 - max by (node) (node_filesystem_avail_bytes{mountpoint="/node-disk"} / node_filesystem_size_bytes{mountpoint="/node-disk"} * on (instance) group_left (node) delos_node_info)',
};

/**
 * All rules as Prometheus reads them.
 * @see https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
 */
export function rules(groups: readonly RuleGroup[], jobs: readonly string[]): string {
  const alerting = [{ name: 'platform', alerts: [serviceDown(jobs)] }, ...groups];
  return yamlText({
    groups: [
      { name: 'recorded', limit: 10_000, rules: Object.entries(RECORDED).map(([record, expr]) => ({ record, expr })) },
      ...alerting
        .filter(({ alerts }) => alerts.length > 0)
        // A rule that finds more than this is itself wrong, and is told as one that fails.
        .map(({ name, alerts }) => ({ name, limit: 1_000, rules: alerts.map(alertRule) })),
    ],
  });
}

const alertRule = ({ name, severity, expr, for: duration, summary }: Alert): object => ({
  alert: name,
  expr,
  for: duration,
  labels: { severity },
  annotations: { summary, runbook: `docs/runbooks/${name}.md` },
});
