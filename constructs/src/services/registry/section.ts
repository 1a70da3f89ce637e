import { size } from '@delos/core';
import { z } from 'zod';

/** Its keys of delos.yaml. */
export const registrySection = z
  .strictObject({
    storage: size.prefault('20Gi').describe('Size of its volume, when that is made'),
    projectLimit: size
      .optional()
      .describe('All images of a project, what several of them have in common counted once; left out: no limit'),
    keepUntaggedDays: z
      .number()
      .int()
      .min(0)
      .max(3_650)
      .default(30)
      .describe('Days for which an image is kept that has lost its last tag, and that nobody pulls; 0: for ever'),
  })
  .prefault({});
/** Its keys of delos.yaml. */
export type RegistrySection = z.infer<typeof registrySection>;
