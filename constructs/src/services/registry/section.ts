import { size } from '@delos/core';
import { z } from 'zod';

/** Its keys of delos.yaml. */
export const registrySection = z
  .strictObject({ storage: size.prefault('20Gi').describe('Size of its volume, when that is made') })
  .prefault({});
/** Its keys of delos.yaml. */
export type RegistrySection = z.infer<typeof registrySection>;
