import { size } from '@delos/core';
import { z } from 'zod';

/** Section of VictoriaLogs in delos.yaml. */
export const victoriaLogsSection = z
  .strictObject({
    storage: size.prefault('5Gi').describe('Size of its volume, when that is made. A fifth of it is left free'),
    keepDays: z
      .number()
      .int()
      .min(1)
      .max(3_650)
      .default(30)
      .describe('Days for which lines can be searched, as far as the volume has room: the oldest go first'),
  })
  .prefault({});
/** Section of VictoriaLogs in delos.yaml. */
export type VictoriaLogsSection = z.infer<typeof victoriaLogsSection>;
