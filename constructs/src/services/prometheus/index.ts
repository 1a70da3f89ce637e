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
