import type { GpuField } from '@delos/core';
import { family, type Machine } from './machines.ts';

const SIZES = [2, 4, 8, 16, 32, 48, 64, 96];
const gpu =
  (kind: GpuField, model: string, gpuMemory: number) =>
  (name: string, cpu: number, memory: number, count: number): Machine => ({
    name: `Standard_${name}`,
    cpu,
    memory,
    gpu: { kind, model, count, memory: gpuMemory },
  });
const t4 = gpu('nvidiaGpu', 'T4', 16);
const a10 = gpu('nvidiaGpu', 'A10', 24);
const a100 = gpu('nvidiaGpu', 'A100', 80);
const h100 = gpu('nvidiaGpu', 'H100', 94);

/**
 * Types of Azure virtual machines.
 * @see https://learn.microsoft.com/azure/virtual-machines/sizes/overview
 */
export const AZURE_MACHINES: readonly Machine[] = [
  ...family((cpu) => `Standard_F${cpu}s_v2`, [2, 4, 8, 16, 32, 48, 64, 72], 2),
  ...family((cpu) => `Standard_D${cpu}s_v5`, SIZES, 4),
  ...family((cpu) => `Standard_E${cpu}s_v5`, SIZES.slice(0, -1), 8),
  t4('NC4as_T4_v3', 4, 28, 1),
  t4('NC16as_T4_v3', 16, 110, 1),
  t4('NC64as_T4_v3', 64, 440, 4),
  a10('NV36ads_A10_v5', 36, 440, 1),
  a10('NV72ads_A10_v5', 72, 880, 2),
  gpu('nvidiaGpu', 'A100', 40)('ND96asr_v4', 96, 900, 8),
  a100('NC24ads_A100_v4', 24, 220, 1),
  a100('NC48ads_A100_v4', 48, 440, 2),
  a100('NC96ads_A100_v4', 96, 880, 4),
  a100('ND96amsr_A100_v4', 96, 1900, 8),
  h100('NC40ads_H100_v5', 40, 320, 1),
  h100('NC80adis_H100_v5', 80, 640, 2),
  gpu('nvidiaGpu', 'H100', 80)('ND96isr_H100_v5', 96, 1900, 8),
  gpu('nvidiaGpu', 'H200', 141)('ND96isr_H200_v5', 96, 1850, 8),
  gpu('amdGpu', 'MI300X', 192)('ND96isr_MI300X_v5', 96, 1850, 8),
];
