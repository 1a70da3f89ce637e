import type { ServiceDescriptor } from '../../base/service.ts';
import { alertmanager } from '../alertmanager/index.ts';
import { Prometheus } from './prometheus.ts';
import { type PrometheusSection, prometheusSection } from './section.ts';

/** The service that keeps metrics, and judges by them. */
export const prometheus: ServiceDescriptor<PrometheusSection, Prometheus> = {
  name: 'prometheus',
  idea: 'Prometheus: metrics of all parts, and rules that judge them',
  image: 'prometheus',
  config: prometheusSection,
  user: 60630,
  resources: { cpu: '20m', memory: '96Mi', memoryLimit: '384Mi' },
  dialsOut: { trustedBy: 'SSL_CERT_FILE' },
  metrics: { port: 'http' },
  alerts: [
    {
      name: 'MetricsVolumeNearlyFull',
      severity: 'warning',
      // Its limit is four fifths of its volume, so that this is seven eighths. It knows nothing else of the volume.
      expr: 'prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes + prometheus_tsdb_head_chunks_storage_size_bytes > 1.1 * (prometheus_tsdb_retention_limit_bytes > 0)',
      for: '1h',
      summary: 'Prometheus keeps more than its limit: its volume is nearly full',
    },
    {
      name: 'RulesFail',
      severity: 'warning',
      expr: 'increase(prometheus_rule_evaluation_failures_total[10m]) > 0',
      for: '10m',
      summary: 'Prometheus cannot evaluate rules of {{ $labels.rule_group }}: what they would tell is not told',
    },
    {
      name: 'AlertsUndelivered',
      severity: 'critical',
      expr: 'prometheus_notifications_alertmanagers_discovered < 1 or rate(prometheus_notifications_errors_total[5m]) > 0',
      for: '5m',
      summary: 'Prometheus does not get its alerts to Alertmanager',
    },
    {
      name: 'RemoteWriteBehind',
      severity: 'warning',
      expr: 'increase(prometheus_remote_storage_samples_failed_total[15m]) > 0 or max_over_time(prometheus_remote_storage_queue_highest_timestamp_seconds[5m]) - max_over_time(prometheus_remote_storage_queue_highest_sent_timestamp_seconds[5m]) > 120',
      for: '15m',
      summary: 'Metrics do not get to {{ $labels.url }}, or come there late',
    },
  ],
  panels: [
    {
      title: 'Series that it holds',
      unit: 'count',
      series: [{ expr: 'prometheus_tsdb_head_series', legend: 'series' }],
    },
    {
      title: 'Samples',
      unit: 'per-second',
      series: [{ expr: 'sum(rate(prometheus_tsdb_head_samples_appended_total[5m]))', legend: 'samples' }],
    },
    {
      title: 'Size of what is kept',
      unit: 'bytes',
      series: [{ expr: 'prometheus_tsdb_storage_blocks_bytes', legend: 'blocks' }],
    },
  ],
  wanted: ({ monitoring }) => monitoring.enabled,
  late: true,
  needs: [alertmanager],
  build: (scope, at) => new Prometheus(scope, 'prometheus', { descriptor: prometheus, at }),
};
