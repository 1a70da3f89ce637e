import { z } from 'zod';
import { nodeFolder, scratch } from '../../base/mount.ts';
import { env } from '../../base/secret-folder.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { GpuExporter, probesAt } from './exporter.ts';

const section = z.strictObject({}).prefault({});
type Section = z.infer<typeof section>;

const PORT = 29999;

/** XPU Manager has the devices, and a page of Python asks it by a socket in /tmp. When the page ends, so does the container. */
const START = `/usr/bin/xpumd & cd /usr/lib/xpum/rest && exec gunicorn --bind 0.0.0.0:${PORT} --worker-connections 64 --worker-class gthread --workers 1 --threads 4 'xpum_rest_main:main()'`;

/** The service that tells of Intel's GPUs. */
export const intelGpuExporter: ServiceDescriptor<Section, GpuExporter> = {
  name: 'intel-gpu-exporter',
  idea: 'Intel XPU Manager: use, temperature and errors of Intel GPUs',
  image: 'intel-gpu-exporter',
  config: section,
  user: 60638,
  onNodes: true,
  resources: { cpu: '20m', memory: '128Mi', memoryLimit: '512Mi' },
  optional: true,
  metrics: { port: 'http', nowhere: true },
  alerts: [
    {
      name: 'IntelGpuMemoryFault',
      severity: 'critical',
      expr: 'max by (node, pci_bdf) (increase(xpum_cache_errors_total{type="uncorrectable"}[1h]) or increase(xpum_non_compute_errors_total{type="uncorrectable"}[1h])) > 0',
      for: '0m',
      summary: 'GPU {{ $labels.pci_bdf }} of {{ $labels.node }} has errors that could not be corrected',
    },
    {
      name: 'IntelGpuHot',
      severity: 'warning',
      expr: 'max by (node, pci_bdf) (xpum_temperature_celsius) > 95',
      for: '10m',
      summary: 'GPU {{ $labels.pci_bdf }} of {{ $labels.node }} has had {{ $value }} °C for ten minutes',
    },
  ],
  panels: [
    {
      title: 'Use of Intel GPUs',
      unit: 'ratio',
      series: [{ expr: 'xpum_engine_ratio', legend: '{{node}} {{pci_bdf}}' }],
      emptyUnless: 'a node has a GPU of Intel',
    },
    {
      title: 'Memory of Intel GPUs in use',
      unit: 'bytes',
      series: [{ expr: 'xpum_memory_used_bytes', legend: '{{node}} {{pci_bdf}}' }],
      emptyUnless: 'a node has a GPU of Intel',
    },
    {
      title: 'Temperature of Intel GPUs',
      unit: 'celsius',
      series: [{ expr: 'xpum_temperature_celsius', legend: '{{node}} {{pci_bdf}} {{location}}' }],
      emptyUnless: 'a node has a GPU of Intel',
    },
  ],
  wanted: ({ monitoring }) => monitoring.enabled,
  build: (scope, at) =>
    new GpuExporter(scope, 'intel-gpu-exporter', {
      ...{ descriptor: intelGpuExporter, at, gpu: 'intelGpu', port: PORT },
      present: ['intel.feature.node.kubernetes.io/gpu', 'true'],
      command: ['/bin/bash', '-c', START],
      probes: probesAt('/metrics', { startSeconds: 10, startTries: 30, readySeconds: 15, readyTimeout: 10 }),
      // Metrics alone, without the login and the rest of its interface. The network policy lets Prometheus in, and nobody else.
      env: [env('XPUM_REST_NO_TLS', '1'), env('XPUM_EXPORTER_NO_AUTH', '1'), env('XPUM_EXPORTER_ONLY', '1')],
      mounts: () => [nodeFolder('/dev/dri'), scratch('tmp', '/tmp', '64Mi', 'memory')],
      opensDevices: true,
    }),
};
