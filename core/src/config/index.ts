import { z } from 'zod';
import { checkConfig } from './rules.ts';
import { configShape, type PlatformConfig } from './shape.ts';

function rules(config: PlatformConfig, context: z.RefinementCtx): void {
  for (const { path, message } of checkConfig(config)) context.addIssue({ code: 'custom', path: [...path], message });
}

/** The configuration as the platform's services read it: each field by itself, and what must hold between them. */
export const platformConfig = configShape.superRefine(rules);

/** delos.yaml: the same, and a section under `services` for each key given here. A section that is left out is `{}`. */
export const configWith = (sections: Readonly<Record<string, z.ZodType>>) =>
  configShape
    .extend({ services: z.strictObject(sections).prefault({}).describe('The platform’s own services') })
    .superRefine(rules);
