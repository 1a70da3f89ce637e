import { OBJECT_REGION } from '@delos/core';
import type { ImageSource } from '../../../image-source.ts';
import type { LiveSecret } from '../../../live-secret.ts';

/** The platform's own object storage, as the control API needs it. */
export interface BucketSettings {
  /** Where it is reached from here. No trailing slash. */
  readonly url: string;
  /** Signs credentials for buckets of projects, one key a line: the current one, then former ones. */
  readonly signingKey: LiveSecret;
  /** Most buckets of one project. */
  readonly perProject: number;
  /** Judges where an imported bucket may be. @default anywhere */
  readonly endpoints?: ImageSource;
}

export const REGION = OBJECT_REGION;

/** The current key, and others that are accepted: former ones, and those of a rotation. */
export const signingKeys = ({ signingKey }: BucketSettings): readonly [string, ...string[]] => {
  const [current = '', ...others] = signingKey.accepted().flatMap((text) => text.split(/\s+/));
  return [current, ...others];
};
