import { z } from 'zod';
import { organization } from '../config/organizations.ts';
import { preset } from '../config/resources.ts';
import { ORG_ROLES, PROJECT_ROLES } from '../words/roles.ts';

/*
 * What administrators made while the platform ran, as `delos-runtime made` answers it: all that is not in delos.yaml.
 */

export const madeRequest = z.strictObject({ action: z.literal('list') });

const quota = organization.shape.quota;

export const madeThings = z.object({
  organizations: z.array(z.object({ name: z.string(), quota })),
  projects: z.array(z.object({ org: z.string(), name: z.string(), quota })),
  orgMembers: z.array(z.object({ org: z.string(), user: z.string(), role: z.enum(ORG_ROLES) })),
  members: z.array(z.object({ org: z.string(), project: z.string(), user: z.string(), role: z.enum(PROJECT_ROLES) })),
  quotas: z
    .array(z.object({ org: z.string(), user: z.string(), quota: z.object({ runningJobs: z.number() }) }))
    .default([]),
  presets: z.array(preset),
});
export type MadeThings = z.infer<typeof madeThings>;
