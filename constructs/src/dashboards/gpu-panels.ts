import type { Panel } from '../base/metrics.ts';

const LEGEND = '{{Hostname}} {{gpu}}';
const NVIDIA = 'the platform has dcgm-exporter, and a node has a GPU of NVIDIA';

/** What DCGM tells of NVIDIA's GPUs: for the page of GPUs, and for that of the service that tells it. */
export const DCGM_PANELS: readonly Panel[] = [
  {
    title: 'Use of NVIDIA GPUs',
    unit: 'ratio',
    series: [{ expr: 'DCGM_FI_DEV_GPU_UTIL / 100', legend: LEGEND }],
    emptyUnless: NVIDIA,
  },
  {
    title: 'Memory of NVIDIA GPUs in use',
    unit: 'ratio',
    series: [{ expr: 'DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)', legend: LEGEND }],
    emptyUnless: NVIDIA,
  },
  {
    title: 'Temperature of NVIDIA GPUs',
    unit: 'celsius',
    series: [{ expr: 'DCGM_FI_DEV_GPU_TEMP', legend: LEGEND }],
    emptyUnless: NVIDIA,
  },
  {
    title: 'Power of NVIDIA GPUs',
    unit: 'watts',
    series: [{ expr: 'DCGM_FI_DEV_POWER_USAGE', legend: LEGEND }],
    emptyUnless: NVIDIA,
  },
  {
    title: 'Errors of NVIDIA GPUs',
    unit: 'count',
    kind: 'now',
    series: [
      { expr: 'max by (Hostname, gpu) (DCGM_FI_DEV_XID_ERRORS) > 0', legend: `${LEGEND}: last XID` },
      { expr: 'max by (Hostname, gpu) (DCGM_FI_DEV_ECC_DBE_VOL_TOTAL) > 0', legend: `${LEGEND}: ECC` },
    ],
    emptyUnless: 'a GPU has had an error',
  },
];
