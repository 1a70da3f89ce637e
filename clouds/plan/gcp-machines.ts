import { family, type Machine } from './machines.ts';

const SIZES = [2, 4, 8, 16, 32, 48, 64, 80];
const nvidia =
  (model: string, gpuMemory: number, accelerator: string) =>
  (name: string, cpu: number, memory: number, count: number): Machine => ({
    name,
    cpu,
    memory,
    gpu: { kind: 'nvidiaGpu', model, count, memory: gpuMemory, accelerator },
  });
const t4 = nvidia('T4', 16, 'nvidia-tesla-t4');
const l4 = nvidia('L4', 24, 'nvidia-l4');
const a100 = nvidia('A100', 40, 'nvidia-tesla-a100');
const a100Large = nvidia('A100', 80, 'nvidia-a100-80gb');
const h100 = nvidia('H100', 80, 'nvidia-h100-80gb');

/**
 * Types of Google Compute Engine.
 * @see https://cloud.google.com/compute/docs/gpus
 */
export const GCP_MACHINES: readonly Machine[] = [
  ...family((cpu) => `n2-highcpu-${cpu}`, SIZES, 1),
  ...family((cpu) => `n2-standard-${cpu}`, SIZES, 4),
  ...family((cpu) => `n2-highmem-${cpu}`, SIZES, 8),
  t4('n1-standard-8', 8, 30, 1),
  t4('n1-standard-16', 16, 60, 2),
  t4('n1-standard-32', 32, 120, 4),
  l4('g2-standard-4', 4, 16, 1),
  l4('g2-standard-16', 16, 64, 1),
  l4('g2-standard-32', 32, 128, 1),
  l4('g2-standard-24', 24, 96, 2),
  l4('g2-standard-48', 48, 192, 4),
  l4('g2-standard-96', 96, 384, 8),
  a100('a2-highgpu-1g', 12, 85, 1),
  a100('a2-highgpu-2g', 24, 170, 2),
  a100('a2-highgpu-4g', 48, 340, 4),
  a100('a2-highgpu-8g', 96, 680, 8),
  a100('a2-megagpu-16g', 96, 1360, 16),
  a100Large('a2-ultragpu-1g', 12, 170, 1),
  a100Large('a2-ultragpu-2g', 24, 340, 2),
  a100Large('a2-ultragpu-4g', 48, 680, 4),
  a100Large('a2-ultragpu-8g', 96, 1360, 8),
  h100('a3-highgpu-1g', 26, 234, 1),
  h100('a3-highgpu-2g', 52, 468, 2),
  h100('a3-highgpu-4g', 104, 936, 4),
  h100('a3-highgpu-8g', 208, 1872, 8),
  nvidia('H200', 141, 'nvidia-h200-141gb')('a3-ultragpu-8g', 224, 2952, 8),
  nvidia('B200', 180, 'nvidia-b200')('a4-highgpu-8g', 224, 3968, 8),
];
