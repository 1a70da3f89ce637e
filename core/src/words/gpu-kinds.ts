/** Kinds of GPU, by the field of presets and pools: the extended resource of its device plugin, and the client's name of the field. */
export const GPU_KINDS = {
  nvidiaGpu: { resource: 'nvidia.com/gpu', wire: 'nvidia_gpu', vendor: 'NVIDIA' },
  amdGpu: { resource: 'amd.com/gpu', wire: 'amd_gpu', vendor: 'AMD' },
  intelGpu: { resource: 'gpu.intel.com/i915', wire: 'intel_gpu', vendor: 'Intel' },
} as const;

export type GpuField = keyof typeof GPU_KINDS;
export const GPU_FIELDS = Object.keys(GPU_KINDS) as readonly GpuField[];

/** Whole devices by extended resource. */
export function extendedResources(
  of: Readonly<Partial<Record<GpuField, { readonly count: number } | undefined>>>,
): Record<string, number> {
  return Object.fromEntries(
    GPU_FIELDS.flatMap((field) => {
      const gpu = of[field];
      return gpu === undefined ? [] : [[GPU_KINDS[field].resource, gpu.count]];
    }),
  );
}
