import { z } from 'zod';

/** Bytes of one secret: the most that a Secret of Kubernetes holds. */
export const MAX_SECRET_BYTES = 2 ** 20;

/** A secret that a job has: in variables of its environment, in files, or in both. */
export const jobSecret = z.object({
  org: z.string(),
  project: z.string(),
  key: z.string(),
  /** Names of variables. */
  env: z.array(z.string()),
  /** Absolute paths of files. */
  files: z.array(z.string()),
  /** It is no secret of a project but the platform’s configuration with a token of the job. */
  passedConfig: z.literal(true).optional(),
  /** It is no secret of a project but what a build of an image shows to the platform’s registry. */
  imageBuild: z
    .object({
      /** Id of the user whose build it is. */
      user: z.number().int(),
      /** Projects that it pushes to, as `ORG/PROJECT`. */
      push: z.array(z.string()),
    })
    .optional(),
});
export type JobSecret = z.infer<typeof jobSecret>;

/** What is in a secret, or why that cannot be had. */
export const secretValue = z.union([z.object({ value: z.base64() }), z.object({ problem: z.string() })]);
export type SecretValue = z.infer<typeof secretValue>;
