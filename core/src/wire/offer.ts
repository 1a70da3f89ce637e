import { z } from 'zod';
import { nodePool, preset } from '../config/resources.ts';
import { count } from '../config-fields.ts';

/** What a cluster that has joined offers to jobs, as its own delos.yaml says. The platform's own cluster sends none. */
export const offer = z.object({
  type: z.literal('offer'),
  pools: z.array(nodePool).min(1).max(100),
  presets: z.array(preset).min(1).max(200),
  scheduling: z.strictObject({ minRunSeconds: count }),
});
export type Offer = z.infer<typeof offer>;
