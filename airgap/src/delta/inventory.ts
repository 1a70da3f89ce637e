import { z } from 'zod';
import { canonicalBytes, parseCanonical } from '../format/canonical.ts';
import { type Digest, digestOf } from '../format/digest.ts';
import { type BundleIndex, type SizedBlob, sizedBlob } from '../format/index-schema.ts';
import { byDigest } from '../format/plan.ts';

/*
 * What a site has, for whoever makes the next bundle. Nobody signs it, and it is believed for nothing but size: a blob that it names and the site
 * lacks is found before anything is changed there.
 */

export const INVENTORY_FORMAT = 'delos-bundle-inventory/1';
export const MOST_INVENTORY_BYTES = 64 * 2 ** 20;

export const inventory = z.strictObject({
  format: z.literal(INVENTORY_FORMAT),
  blobs: z.array(sizedBlob).max(500_000),
});
export type Inventory = z.infer<typeof inventory>;

/** All blobs that these bundles have or build on. */
export function inventoryOf(indices: readonly BundleIndex[]): Inventory {
  const blobs = new Map<Digest, SizedBlob>();
  for (const { blobs: own, base } of indices) for (const blob of [...own, ...base]) blobs.set(blob.digest, blob);
  return { format: INVENTORY_FORMAT, blobs: [...blobs.values()].toSorted(byDigest) };
}

export const inventoryBytes = ({ format, blobs }: Inventory): Buffer =>
  canonicalBytes({ format, blobs: blobs.map(({ digest, size }) => ({ digest, size })) });

/** Undefined for bytes that are none in its one form. */
export const parseInventory = (bytes: Buffer): Inventory | undefined => inventory.safeParse(parseCanonical(bytes)).data;

/** What a bundle may build on. */
export interface Since {
  readonly kind: 'index' | 'inventory';
  readonly digest: Digest;
  readonly has: ReadonlySet<Digest>;
}

export const sinceInventory = (given: Inventory): Since => ({
  kind: 'inventory',
  digest: digestOf(inventoryBytes(given)),
  has: new Set(given.blobs.map(({ digest }) => digest)),
});

/** @param digest of the index */
export const sinceIndex = (index: BundleIndex, digest: Digest): Since => ({
  kind: 'index',
  digest,
  has: new Set(inventoryOf([index]).blobs.map((blob) => blob.digest)),
});
