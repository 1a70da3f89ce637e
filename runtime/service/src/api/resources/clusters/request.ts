import { DelosError, type Preset, preset } from '@delos/core';
import { z } from 'zod';

const gpu = z
  .object({ count: z.number().int().min(1).max(1_000), model: z.string().max(200).nullish() })
  .nullish()
  .transform((given) =>
    given == null ? undefined : { count: given.count, ...(given.model ? { model: given.model } : {}) },
  );

/** A preset as the official client sends it (neuro-config-client 26.3). */
export const presetRequest = z.object({
  name: z.string().max(128),
  credits_per_hour: z.coerce.string(),
  cpu: z.number(),
  memory: z.number(),
  nvidia_gpu: gpu,
  amd_gpu: gpu,
  intel_gpu: gpu,
  nvidia_migs: z.record(z.string(), z.unknown()).nullish(),
  tpu: z.unknown().optional(),
  scheduler_enabled: z.boolean().default(false),
  preemptible_node: z.boolean().default(false),
  resource_pool_names: z.array(z.string().max(128)).max(100).default([]),
});

/** The same as delos.yaml would say it. @throws DelosError ERR_REQUEST, ERR_NOT_IMPLEMENTED */
export function presetOf(asked: z.infer<typeof presetRequest>): Preset {
  if (asked.tpu != null || Object.keys(asked.nvidia_migs ?? {}).length > 0) {
    throw new DelosError(
      'ERR_NOT_IMPLEMENTED',
      'presets with TPUs or MIG devices are not part of this release of Delos',
    );
  }
  const parsed = preset.safeParse({
    name: asked.name,
    cpu: asked.cpu,
    memory: asked.memory,
    creditsPerHour: plainNumber(asked.credits_per_hour),
    ...(asked.nvidia_gpu && { nvidiaGpu: asked.nvidia_gpu }),
    ...(asked.amd_gpu && { amdGpu: asked.amd_gpu }),
    ...(asked.intel_gpu && { intelGpu: asked.intel_gpu }),
    pools: asked.resource_pool_names,
    preemptible: asked.scheduler_enabled || asked.preemptible_node,
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new DelosError('ERR_REQUEST', issue?.message ?? 'not accepted', {
    where: { field: issue?.path.join('.') ?? 'preset' },
  });
}

/** `10.0000` is how the client writes 10. */
const plainNumber = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
