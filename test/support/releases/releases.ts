import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ROOT } from '../house/rooms.ts';

const releaseShape = z.strictObject({
  version: z.string().regex(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
});

/** A version that was given out, and the commit that it is. */
export type Release = z.infer<typeof releaseShape>;

const list = z
  .strictObject({ upgradesFrom: z.array(z.string()), releases: z.array(releaseShape).min(1) })
  .parse(parse(readFileSync(join(ROOT, 'docs/releases.yaml'), 'utf8')));

/** All releases, newest first, as docs/releases.yaml lists them. */
export const RELEASES: readonly Release[] = list.releases;
/** Versions that `delos upgrade` takes over. */
export const UPGRADES_FROM: readonly string[] = list.upgradesFrom;

/** @throws Error for a version that is not in the list */
export function releaseOf(version: string): Release {
  const found = RELEASES.find((release) => release.version === version);
  if (found !== undefined) return found;
  throw new Error(`docs/releases.yaml has no ${version}, only ${RELEASES.map((each) => each.version).join(', ')}`);
}
