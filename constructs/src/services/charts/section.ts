import { size } from '@delos/core';
import { z } from 'zod';

/** Its keys of delos.yaml. */
export const chartsSection = z
  .strictObject({
    storage: size.prefault('10Gi').describe('Size of its volume, when that is made'),
    projectLimit: size.optional().describe('All charts of a project together; left out: no limit'),
  })
  .prefault({});
/** Its keys of delos.yaml. */
export type ChartsSection = z.infer<typeof chartsSection>;
