import { GPU_KINDS } from '@delos/core';
import { z } from 'zod';
import type { Alert } from '../../base/metrics.ts';
import { scratch } from '../../base/mount.ts';
import { env } from '../../base/secret-folder.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { DCGM_PANELS } from '../../dashboards/gpu-panels.ts';
import { GpuExporter, probesAt } from './exporter.ts';

const section = z
  .strictObject({
    runtimeClass: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'expected the name of a RuntimeClass, such as nvidia')
      .optional()
      .describe('RuntimeClass by which its containers see the GPUs; left out: the nodes’ usual one does'),
  })
  .prefault({});
type Section = z.infer<typeof section>;

const PORT = 9400;
const CONFIG = '/etc/delos-dcgm';

/**
 * What it tells of each GPU. Those of profiling are left out: they need a right over the node, and stop other profilers.
 * @see https://docs.nvidia.com/datacenter/dcgm/latest/dcgm-api/dcgm-api-field-ids.html
 */
const COUNTERS: readonly (readonly [field: string, kind: 'gauge' | 'counter', help: string])[] = [
  ['DCGM_FI_DEV_GPU_UTIL', 'gauge', 'Utilization in percent'],
  ['DCGM_FI_DEV_FB_USED', 'gauge', 'Memory in use in MiB'],
  ['DCGM_FI_DEV_FB_FREE', 'gauge', 'Free memory in MiB'],
  ['DCGM_FI_DEV_GPU_TEMP', 'gauge', 'Temperature in degrees Celsius'],
  ['DCGM_FI_DEV_MEMORY_TEMP', 'gauge', 'Temperature of the memory in degrees Celsius'],
  ['DCGM_FI_DEV_POWER_USAGE', 'gauge', 'Power in watts'],
  ['DCGM_FI_DEV_SM_CLOCK', 'gauge', 'Clock of the multiprocessors in MHz'],
  ['DCGM_FI_DEV_PCIE_REPLAY_COUNTER', 'counter', 'Retries on PCIe'],
  ['DCGM_FI_DEV_XID_ERRORS', 'gauge', 'Last XID error'],
  ['DCGM_FI_DEV_ECC_SBE_VOL_TOTAL', 'counter', 'ECC errors that were corrected'],
  ['DCGM_FI_DEV_ECC_DBE_VOL_TOTAL', 'counter', 'ECC errors that could not be corrected'],
  ['DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS', 'counter', 'Rows remapped after errors that could not be corrected'],
  ['DCGM_FI_DEV_ROW_REMAP_FAILURE', 'gauge', 'Whether remapping of rows has failed'],
];

/** XIDs of programs that did something wrong; the device is well. @see https://docs.nvidia.com/deploy/xid-errors/ */
const OF_PROGRAMS = [13, 31, 43, 45].map((xid) => ` != ${xid}`).join('');
const XID = 'DCGM_FI_DEV_XID_ERRORS';

const ALERTS: readonly Alert[] = [
  {
    name: 'GpuXidError',
    severity: 'warning',
    // The series may come with the first error, and keeps its value.
    expr: `max by (Hostname, gpu) ((${XID} > 0${OF_PROGRAMS}) and (changes(${XID}[15m]) > 0 or (${XID} unless ${XID} offset 15m)))`,
    for: '0m',
    summary: 'GPU {{ $labels.gpu }} of {{ $labels.Hostname }} reports XID {{ $value }}',
  },
  {
    name: 'GpuMemoryFault',
    severity: 'critical',
    expr: 'max by (Hostname, gpu) (DCGM_FI_DEV_ROW_REMAP_FAILURE > 0 or increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL[1h]) > 0 or increase(DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS[1h]) > 0)',
    for: '0m',
    summary: 'The memory of GPU {{ $labels.gpu }} of {{ $labels.Hostname }} has errors that could not be corrected',
  },
  {
    name: 'GpuHot',
    severity: 'warning',
    expr: 'max by (Hostname, gpu) (DCGM_FI_DEV_GPU_TEMP) > 85',
    for: '10m',
    summary: 'GPU {{ $labels.gpu }} of {{ $labels.Hostname }} has had {{ $value }} °C for ten minutes',
  },
];

/** The service that tells of NVIDIA's GPUs. */
export const dcgmExporter: ServiceDescriptor<Section, GpuExporter> = {
  name: 'dcgm-exporter',
  idea: 'DCGM exporter: use, temperature and errors of NVIDIA GPUs',
  image: 'dcgm-exporter',
  config: section,
  user: 60636,
  resources: { cpu: '20m', memory: '128Mi', memoryLimit: '512Mi' },
  optional: true,
  metrics: { port: 'http', nowhere: true },
  alerts: ALERTS,
  panels: DCGM_PANELS,
  wanted: ({ monitoring }) => monitoring.enabled,
  build: (scope, at) =>
    new GpuExporter(scope, 'dcgm-exporter', {
      ...{ descriptor: dcgmExporter, at, gpu: 'nvidiaGpu', port: PORT },
      present: [`${GPU_KINDS.nvidiaGpu.resource}.present`, 'true'],
      command: ['/usr/bin/dcgm-exporter', `--collectors=${CONFIG}/counters.csv`, `--address=:${PORT}`],
      settings: {
        folder: CONFIG,
        files: { 'counters.csv': `${COUNTERS.map((counter) => counter.join(', ')).join('\n')}\n` },
      },
      probes: probesAt('/health', { startSeconds: 5, startTries: 60, readySeconds: 10, readyTimeout: 5 }),
      // Its runtime shows it every GPU for these, without taking one from jobs.
      env: [env('NVIDIA_VISIBLE_DEVICES', 'all'), env('NVIDIA_DRIVER_CAPABILITIES', 'compute,utility')],
      mounts: () => [
        scratch('tmp', '/tmp', '64Mi'),
        scratch('run', '/run', '16Mi', 'memory'),
        scratch('log', '/var/log', '64Mi'),
      ],
      runtimeClass: at.own.runtimeClass,
    }),
};
