import { z } from 'zod';
import { plainText } from '../../config-fields.ts';

/** Host, path, tag if any, and digest: an image that is the same for ever. */
const pinnedImage = z
  .string()
  .max(400)
  .regex(
    /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+(:[\w][\w.-]{0,127})?@sha256:[0-9a-f]{64}$/,
    'expected an image with its registry and digest, such as ghcr.io/team/tool:1.2@sha256:…',
  );

const wheel = z
  .string()
  .max(400)
  .regex(/^[A-Za-z0-9][\w.-]*==\w[\w.!+-]*$|\.whl$/, 'expected NAME==VERSION, or the file of a wheel');

/** What goes into a bundle for a site without a network, beside what the platform itself needs. */
export const bundle = z.strictObject({
  pythons: z
    .array(z.string().regex(/^3\.\d{1,2}$/, 'expected a version such as 3.11'))
    .min(1)
    .max(10)
    .default(['3.11', '3.13'])
    .describe('Versions of Python that wheels are brought for'),
  add: z
    .strictObject({
      images: z.array(pinnedImage).max(1000).default([]).describe('Images, each with its registry and digest'),
      wheels: z
        .array(wheel)
        .max(1000)
        .default([])
        .describe('Python packages with all that they need, as NAME==VERSION; or files of wheels, as they are'),
      charts: z
        .array(plainText.regex(/\.tgz$/, 'expected a packed chart, NAME-VERSION.tgz'))
        .max(1000)
        .default([])
        .describe('Files of packed Helm charts'),
      files: z
        .array(
          z.strictObject({
            path: plainText.describe('The file'),
            name: z
              .string()
              .max(200)
              .regex(/^\w[\w.+-]*(\/\w[\w.+-]*)*$/, 'expected a path of letters, digits and . + - _')
              .describe('By which name it is known in the bundle'),
          }),
        )
        .max(1000)
        .default([])
        .describe('Files of any kind, model weights for instance'),
    })
    .prefault({})
    .describe('What the administrator adds. Paths are relative to this file'),
});
export type BundleSection = z.infer<typeof bundle>;
