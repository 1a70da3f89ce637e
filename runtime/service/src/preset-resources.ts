import type { NodePool, Preset } from '@delos/core';

/** Extended resource names of device plugins, by the field of presets and pools. */
export const GPU_RESOURCES = {
  nvidiaGpu: 'nvidia.com/gpu',
  amdGpu: 'amd.com/gpu',
  intelGpu: 'gpu.intel.com/i915',
} as const;
export type GpuField = keyof typeof GPU_RESOURCES;
export const GPU_FIELDS = Object.keys(GPU_RESOURCES) as readonly GpuField[];

/** The client's names of the same fields. */
export const GPU_WIRE = { nvidiaGpu: 'nvidia_gpu', amdGpu: 'amd_gpu', intelGpu: 'intel_gpu' } as const;

/** Whole devices by extended resource name. */
export function extendedResources(of: Pick<Preset | NodePool, GpuField>): Record<string, number> {
  return Object.fromEntries(
    GPU_FIELDS.flatMap((field) => (of[field] === undefined ? [] : [[GPU_RESOURCES[field], of[field].count]])),
  );
}
