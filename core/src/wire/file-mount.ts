import { z } from 'zod';

/** One mount of files of a project in a job's container. */
export const fileMount = z.object({
  org: z.string(),
  project: z.string(),
  /** Below the project's folder; empty: that folder itself. */
  source: z.string(),
  path: z.string(),
  readOnly: z.boolean(),
});
export type FileMount = z.infer<typeof fileMount>;

/** Where the agent finds the file storage, so that jobs may mount a project's part of it. */
export const fileVolumeSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('directory'), path: z.string() }),
  z.object({
    kind: z.literal('nfs'),
    server: z.string(),
    path: z.string(),
    mountOptions: z.array(z.string()),
  }),
]);
export type FileVolumeSource = z.infer<typeof fileVolumeSource>;
