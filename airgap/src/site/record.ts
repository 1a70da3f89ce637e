import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tryReadJson, writeAtomic, writeJson } from '@delos/host';
import { z } from 'zod';
import { canonicalBytes, type Json } from '../format/canonical.ts';
import { type Digest, digest, hexOf } from '../format/digest.ts';
import { type BundleIndex, INDEX_FILE } from '../format/index-schema.ts';
import { parseIndex } from '../read/open.ts';
import { placesOf } from './place.ts';

/*
 * A site's record of its bundles: one folder versions/HEX/ for each, with the bundle's index and the time of its import. An import writes
 * the folder after the last blob. A prune removes it after the last blob that no other bundle has.
 */

const importedAt = z.strictObject({ index: digest, at: z.iso.datetime(), registry: z.string() });

/** A bundle that was imported whole. */
export interface Version {
  readonly digest: Digest;
  readonly index: BundleIndex;
  readonly at: string;
  readonly registry: string;
}

const versionsIn = (site: string): string => join(site, 'versions');

/** Bundles of a site, the latest import first. */
export function versionsOf(site: string): readonly Version[] {
  let names: readonly string[];
  try {
    names = readdirSync(versionsIn(site));
  } catch {
    return [];
  }
  return names
    .flatMap((name) => {
      const folder = join(versionsIn(site), name);
      const known = tryReadJson(join(folder, 'imported.json'), importedAt);
      if (known === undefined || hexOf(known.index) !== name) return [];
      const index = parseIndex(readFileSync(join(folder, INDEX_FILE)));
      return [{ digest: known.index, index, at: known.at, registry: known.registry }];
    })
    .toSorted((a, b) => (a.at === b.at ? (a.digest < b.digest ? -1 : 1) : a.at < b.at ? 1 : -1));
}

/** Writes down that a bundle is there. The record of an import is its last file, so that half a record is none. */
export function recordVersion(site: string, version: Version): void {
  const folder = join(versionsIn(site), hexOf(version.digest));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeAtomic(join(folder, INDEX_FILE), canonicalBytes(version.index as Json).toString('utf8'));
  writeJson(join(folder, 'imported.json'), { index: version.digest, at: version.at, registry: version.registry });
}

/** Forgets a bundle. */
export function forgetVersion(site: string, of: Digest): void {
  const folder = join(versionsIn(site), hexOf(of));
  rmSync(join(folder, 'imported.json'), { force: true });
  rmSync(folder, { recursive: true, force: true });
}

/** In which repositories of the site's registry blobs lie, by the bundles that were imported there. */
export function repositoriesOf(versions: readonly Version[]): ReadonlyMap<Digest, readonly string[]> {
  const found = new Map<Digest, Set<string>>();
  for (const { index } of versions) {
    for (const item of index.items) {
      for (const digest of [item.descriptor.digest, ...item.parts]) {
        const own = found.get(digest) ?? new Set();
        for (const { repository } of placesOf(item)) own.add(repository);
        found.set(digest, own);
      }
    }
  }
  return new Map([...found].map(([digest, repositories]) => [digest, [...repositories]]));
}
