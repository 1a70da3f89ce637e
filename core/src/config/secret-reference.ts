import { z } from 'zod';
import { dnsSubdomain } from '../config-fields.ts';

const KEY = /^[a-zA-Z0-9._-]{1,253}$/;
const keyName = z.string().regex(KEY, 'expected letters, digits, dots, hyphens and underscores');

const FORMS = '{secret: {name, key}}, {file: /PATH} or {externalSecret: {store, key}}';

/** A text where a reference belongs is most likely the secret: it is not repeated in the error. */
const noValue = (given: unknown, context: z.RefinementCtx): unknown => {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given;
  if (given === undefined) return given;
  context.addIssue({
    code: 'custom',
    message: `expected where the secret is, never the secret itself: ${FORMS}. If it was one, it is now in this file: change it`,
  });
  return z.NEVER;
};

/** Where a secret is that the platform does not make itself. Its value never stands in delos.yaml. */
export const secretReference = z.preprocess(
  noValue,
  z
    .strictObject({
      secret: z
        .strictObject({
          name: dnsSubdomain.describe('Its name, in the namespace `delos`'),
          key: keyName.describe('Key within it'),
        })
        .optional()
        .describe('A Secret that is in the cluster; Pods wait until it is there'),
      file: z
        .string()
        .regex(/^\/[^\0]+$/, 'expected an absolute path')
        .optional()
        .describe(
          'A file of the machine that deploys, read at each deployment. A line break at its end is not part of it',
        ),
      externalSecret: z
        .strictObject({
          store: dnsSubdomain.describe('Name of the store'),
          kind: z
            .enum(['SecretStore', 'ClusterSecretStore'])
            .default('ClusterSecretStore')
            .describe('Kind of the store'),
          key: z.string().min(1).max(1024).describe('Key in the store'),
          property: z
            .string()
            .min(1)
            .max(1024)
            .optional()
            .describe('A part of what the key holds; left out: all of it'),
        })
        .optional()
        .describe('What External Secrets fetches from a store; its operator must be in the cluster'),
    })
    .superRefine((given, context) => {
      if (Object.values(given).filter((form) => form !== undefined).length === 1) return;
      context.addIssue({ code: 'custom', message: `expected exactly one of ${FORMS}` });
    }),
);
/** Where a secret is that the platform does not make itself. */
export type SecretReference = z.infer<typeof secretReference>;
