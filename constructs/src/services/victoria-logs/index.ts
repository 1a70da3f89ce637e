import type { ServiceDescriptor } from '../../base/service.ts';
import { type VictoriaLogsSection, victoriaLogsSection } from './section.ts';
import { VictoriaLogs } from './victoria-logs.ts';

/** The service that logs are searched in. */
export const victoriaLogs: ServiceDescriptor<VictoriaLogsSection, VictoriaLogs> = {
  name: 'victoria-logs',
  idea: 'VictoriaLogs: logs of the platform and of jobs, to search in',
  image: 'victoria-logs',
  config: victoriaLogsSection,
  user: 60615,
  resources: { cpu: '20m', memory: '96Mi', memoryLimit: '384Mi' },
  optional: true,
  metrics: { port: 'http' },
  alerts: [
    {
      name: 'SearchVolumeNearlyFull',
      severity: 'warning',
      expr: 'vl_free_disk_space_bytes / vl_total_disk_space_bytes < 0.1',
      for: '10m',
      summary: 'The volume of VictoriaLogs is nearly full: soon it takes no more lines',
    },
    {
      name: 'SearchedLogsDropped',
      severity: 'warning',
      // What is older than it keeps is dropped by intent: a new collector asks for all that its node has.
      expr: 'increase(vl_rows_dropped_total{reason!="too_small_timestamp"}[15m]) > 0',
      for: '5m',
      summary: 'VictoriaLogs drops lines ({{ $labels.reason }}): they cannot be searched',
    },
  ],
  panels: [
    {
      title: 'Lines taken',
      unit: 'per-second',
      series: [{ expr: 'sum by (type) (rate(vl_rows_ingested_total[5m]))', legend: '{{type}}' }],
    },
    {
      title: 'Space',
      unit: 'bytes',
      series: [{ expr: 'sum by (type) (vl_data_size_bytes)', legend: '{{type}}' }],
    },
  ],
  build: (scope, at) => new VictoriaLogs(scope, 'victoria-logs', { descriptor: victoriaLogs, at }),
};
