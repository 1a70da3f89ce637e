import { github } from './github.ts';
import type { ToolName, ToolSpec } from './tool.ts';

const GIB = 2 ** 30;

/** Tools of monitoring, with their pins. */
export const MONITORING_TOOLS: Readonly<
  Record<
    Extract<
      ToolName,
      'prometheus' | 'alertmanager' | 'node_exporter' | 'kube-state-metrics' | 'metrics-proxy' | 'victoria-logs'
    >,
    ToolSpec
  >
> = {
  prometheus: {
    name: 'prometheus',
    version: '3.16.0',
    release: {
      files: [
        {
          url: github('prometheus/prometheus', 'v3.16.0', 'prometheus-3.16.0.linux-amd64.tar.gz'),
          checksums: github('prometheus/prometheus', 'v3.16.0', 'sha256sums.txt'),
          member: 'prometheus-3.16.0.linux-amd64/prometheus',
        },
      ],
    },
    build: {
      module: 'prometheus',
      package: 'github.com/prometheus/prometheus/cmd/prometheus',
      set: ['github.com/prometheus/common/version.Version=3.16.0'],
      // Targets are found by DNS alone. Clients of two dozen clouds are two thirds of the build.
      tags: ['remove_all_sd', 'enable_dns_sd'],
      cold: { seconds: 175, diskBytes: 2 * GIB, memoryBytes: 1.5 * GIB },
    },
  },
  alertmanager: {
    name: 'alertmanager',
    version: '0.34.0',
    release: {
      files: [
        {
          url: github('prometheus/alertmanager', 'v0.34.0', 'alertmanager-0.34.0.linux-amd64.tar.gz'),
          checksums: github('prometheus/alertmanager', 'v0.34.0', 'sha256sums.txt'),
          member: 'alertmanager-0.34.0.linux-amd64/alertmanager',
        },
      ],
    },
    build: {
      module: 'alertmanager',
      package: 'github.com/prometheus/alertmanager/cmd/alertmanager',
      set: ['github.com/prometheus/common/version.Version=0.34.0'],
      // Its page in the browser is made by a build with Elm and Vite, and is not in the module.
      lacking: {
        module: 'github.com/prometheus/alertmanager',
        files: {
          'ui/app/dist/index.html':
            '<!doctype html>\n<title>Alertmanager</title>\n<p>This build has no pages. Its API is at <code>/api/v2</code>.</p>\n',
        },
      },
      cold: { seconds: 75, diskBytes: 1.5 * GIB, memoryBytes: 1.2 * GIB },
    },
  },
  node_exporter: {
    name: 'node_exporter',
    version: '1.12.1',
    release: {
      files: [
        {
          url: github('prometheus/node_exporter', 'v1.12.1', 'node_exporter-1.12.1.linux-amd64.tar.gz'),
          checksums: github('prometheus/node_exporter', 'v1.12.1', 'sha256sums.txt'),
          member: 'node_exporter-1.12.1.linux-amd64/node_exporter',
        },
      ],
    },
    build: {
      module: 'node-exporter',
      package: 'github.com/prometheus/node_exporter',
      set: ['github.com/prometheus/common/version.Version=1.12.1'],
      cold: { seconds: 20, diskBytes: 0.5 * GIB, memoryBytes: 0.6 * GIB },
    },
  },
  'kube-state-metrics': {
    name: 'kube-state-metrics',
    version: '2.20.0',
    build: {
      // A module of its own, with the versions of k8s.io that the add-ons have: what is compiled for one is there for the other.
      module: 'kube-state-metrics',
      package: 'k8s.io/kube-state-metrics/v2',
      set: ['github.com/prometheus/common/version.Version=v2.20.0'],
      cold: { seconds: 120, diskBytes: 1.5 * GIB, memoryBytes: 1.2 * GIB },
    },
  },
  'metrics-proxy': {
    name: 'metrics-proxy',
    // Of prom-label-proxy, which it has inside.
    version: '0.11.1',
    build: {
      module: 'metrics-proxy',
      package: './cmd/metrics-proxy',
      cold: { seconds: 15, diskBytes: 0.5 * GIB, memoryBytes: 0.5 * GIB },
    },
  },
  'victoria-logs': {
    name: 'victoria-logs',
    version: '1.52.1',
    release: {
      files: [
        {
          url: github('VictoriaMetrics/VictoriaLogs', 'v1.52.1', 'victoria-logs-linux-amd64-v1.52.1.tar.gz'),
          checksums: github(
            'VictoriaMetrics/VictoriaLogs',
            'v1.52.1',
            'victoria-logs-linux-amd64-v1.52.1_checksums.txt',
          ),
          member: 'victoria-logs-prod',
        },
      ],
    },
    build: {
      module: 'victoria-logs',
      package: 'github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs',
      set: ['github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=victoria-logs-v1.52.1'],
      cold: { seconds: 60, diskBytes: 0.5 * GIB, memoryBytes: 1 * GIB },
    },
  },
};
