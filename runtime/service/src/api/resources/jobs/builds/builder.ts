import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What carries out builds of images in the cluster. */
export interface Builder {
  /** Reference of its image. */
  readonly image: string;
  /** `HOST:PORT` where jobs reach the platform’s registry, where its name does not lead there. */
  readonly registryAt?: string | undefined;
  /** Certificate authorities of that registry, PEM; left out: the public ones. */
  readonly authorities?: string | undefined;
}

/** Characters of one authority or a few. A longer list is that of a site, which all jobs are given. */
const MOST_AUTHORITIES = 16_384;

const written = z.object({ image: z.string().min(1), registryAt: z.string().optional() });

/**
 * The builder that a file names. It comes with its image, after the platform has started, so the file is read each time.
 * @param authorities file of authorities that this service trusts beside the public ones
 * @returns undefined where there is none yet
 */
export function builderIn(file: string, authorities: string | undefined): Builder | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const trusted = authorities === undefined ? '' : readFileSync(authorities, 'utf8');
  return {
    ...written.parse(JSON.parse(text)),
    ...(trusted === '' || trusted.length > MOST_AUTHORITIES ? {} : { authorities: trusted }),
  };
}
