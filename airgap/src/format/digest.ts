import { createHash } from 'node:crypto';
import { z } from 'zod';

/** `sha256:` and 64 digits, as OCI has digests. */
export type Digest = `sha256:${string}`;

const FORM = /^sha256:[0-9a-f]{64}$/;
export const isDigest = (text: string): text is Digest => FORM.test(text);

export const digest = z
  .custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'expected sha256: and 64 hexadecimal digits')
  .meta({
    type: 'string',
    pattern: FORM.source,
    description: 'Digest of content, as the OCI image specification has it',
  });

export const digestOf = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** The 64 digits. */
export const hexOf = (of: Digest): string => of.slice('sha256:'.length);
