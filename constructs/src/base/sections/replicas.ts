import { count } from '@delos/core';
import { z } from 'zod';

/** Section of a service of which only the number of replicas can be set. */
export const replicas = z.strictObject({ replicas: count.default(1).describe('How many run') }).prefault({});
/** Section of a service of which only the number of replicas can be set. */
export type Replicas = z.infer<typeof replicas>;
