import { checkConfig } from './rules.ts';
import { configShape } from './shape.ts';

/** delos.yaml: each field by itself, and what must hold between them. */
export const platformConfig = configShape.superRefine((config, context) => {
  for (const { path, message } of checkConfig(config)) context.addIssue({ code: 'custom', path: [...path], message });
});
