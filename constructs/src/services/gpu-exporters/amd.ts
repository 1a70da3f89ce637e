import { z } from 'zod';
import { nodeFolder, scratch } from '../../base/mount.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { GpuExporter, probesAt } from './exporter.ts';

const section = z.strictObject({}).prefault({});
type Section = z.infer<typeof section>;

const PORT = 5000;
const CONFIG = '/etc/metrics';

/** What it tells of each GPU. @see https://instinct.docs.amd.com/projects/device-metrics-exporter */
const FIELDS = [
  'GPU_GFX_ACTIVITY',
  'GPU_USED_VRAM',
  'GPU_TOTAL_VRAM',
  'GPU_EDGE_TEMPERATURE',
  'GPU_JUNCTION_TEMPERATURE',
  'GPU_MEMORY_TEMPERATURE',
  'GPU_PACKAGE_POWER',
  'GPU_AVERAGE_PACKAGE_POWER',
  'GPU_ECC_CORRECT_TOTAL',
  'GPU_ECC_UNCORRECT_TOTAL',
];

/** Newer devices tell of the hottest place, older ones of the edge. */
const TEMPERATURE = 'max by (hostname, gpu_id) (gpu_junction_temperature or gpu_edge_temperature)';

/** The service that tells of AMD's GPUs. */
export const amdGpuExporter: ServiceDescriptor<Section, GpuExporter> = {
  name: 'amd-gpu-exporter',
  idea: 'AMD device metrics exporter: use, temperature and errors of AMD GPUs',
  image: 'amd-gpu-exporter',
  config: section,
  user: 60637,
  onNodes: true,
  resources: { cpu: '20m', memory: '128Mi', memoryLimit: '512Mi' },
  optional: true,
  metrics: { port: 'http', nowhere: true },
  alerts: [
    {
      name: 'AmdGpuMemoryFault',
      severity: 'critical',
      expr: 'max by (hostname, gpu_id) (increase(gpu_ecc_uncorrect_total[1h])) > 0',
      for: '0m',
      summary:
        'The memory of GPU {{ $labels.gpu_id }} of {{ $labels.hostname }} has errors that could not be corrected',
    },
    {
      name: 'AmdGpuHot',
      severity: 'warning',
      expr: `${TEMPERATURE} > 95`,
      for: '10m',
      summary: 'GPU {{ $labels.gpu_id }} of {{ $labels.hostname }} has had {{ $value }} °C for ten minutes',
    },
  ],
  panels: [
    {
      title: 'Use of AMD GPUs',
      unit: 'ratio',
      series: [{ expr: 'gpu_gfx_activity / 100', legend: '{{hostname}} {{gpu_id}}' }],
      emptyUnless: 'a node has a GPU of AMD',
    },
    {
      title: 'Memory of AMD GPUs in use',
      unit: 'bytes',
      series: [{ expr: 'gpu_used_vram * 1048576', legend: '{{hostname}} {{gpu_id}}' }],
      emptyUnless: 'a node has a GPU of AMD',
    },
    {
      title: 'Temperature of AMD GPUs',
      unit: 'celsius',
      series: [{ expr: TEMPERATURE, legend: '{{hostname}} {{gpu_id}}' }],
      emptyUnless: 'a node has a GPU of AMD',
    },
  ],
  wanted: ({ monitoring }) => monitoring.enabled,
  build: (scope, at) =>
    new GpuExporter(scope, 'amd-gpu-exporter', {
      ...{ descriptor: amdGpuExporter, at, gpu: 'amdGpu', port: PORT },
      present: ['feature.node.kubernetes.io/amd-gpu', 'true'],
      command: ['/home/amd/tools/entrypoint.sh'],
      settings: {
        folder: CONFIG,
        files: {
          'config.json': `${JSON.stringify({ ServerPort: PORT, GPUConfig: { Fields: FIELDS } }, undefined, 2)}\n`,
        },
      },
      probes: probesAt('/metrics', { startSeconds: 5, startTries: 60, readySeconds: 15, readyTimeout: 10 }),
      env: [],
      mounts: () => [
        nodeFolder('/dev/dri'),
        { name: 'dev-kfd', path: '/dev/kfd', volume: { hostPath: { path: '/dev/kfd', type: 'CharDevice' } } },
        scratch('tmp', '/tmp', '64Mi'),
        scratch('run', '/run', '16Mi', 'memory'),
        scratch('state', '/var/lib/amd-metrics-exporter', '16Mi'),
        scratch('log', '/var/log', '64Mi'),
      ],
      opensDevices: true,
    }),
};
