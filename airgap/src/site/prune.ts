import type { Digest } from '../format/digest.ts';
import type { Registry } from '../registry/client.ts';
import { placesOf } from './place.ts';
import { forgetVersion, type Version } from './record.ts';

/** What goes and what stays. */
export interface PrunePlan {
  readonly keep: readonly Version[];
  readonly remove: readonly Version[];
  /** Manifests that no kept bundle has, by repository. */
  readonly manifests: readonly { readonly repository: string; readonly digest: Digest }[];
  /** Blobs that no kept bundle needs, and their bytes: what the registry's collection gives back. */
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * What may go when only the latest `keep` bundles stay. A bundle that a kept one builds on keeps each blob that is needed:
 * blobs are counted, not bundles. Pure.
 */
export function planPrune(versions: readonly Version[], keep: number): PrunePlan {
  const kept = versions.slice(0, keep);
  const remove = versions.slice(keep);
  const needed = new Set<Digest>();
  const named = new Set<string>();
  for (const { index } of kept) {
    for (const item of index.items) {
      for (const digest of [item.descriptor.digest, ...item.parts]) needed.add(digest);
      for (const { repository } of placesOf(item)) {
        for (const digest of [item.descriptor.digest, ...(item.manifests ?? [])]) named.add(`${repository} ${digest}`);
      }
    }
  }
  const manifests = new Map<string, { repository: string; digest: Digest }>();
  const free = new Map<Digest, number>();
  for (const { index } of remove) {
    for (const { digest, size } of [...index.blobs, ...index.base]) if (!needed.has(digest)) free.set(digest, size);
    for (const item of index.items) {
      for (const { repository } of placesOf(item)) {
        // First what leads to the others.
        for (const digest of [item.descriptor.digest, ...(item.manifests ?? [])]) {
          const key = `${repository} ${digest}`;
          if (!named.has(key)) manifests.set(key, { repository, digest });
        }
      }
    }
  }
  const bytes = [...free.values()].reduce((sum, size) => sum + size, 0);
  return { keep: kept, remove, manifests: [...manifests.values()], blobs: free.size, bytes };
}

/**
 * Removes what a plan says. Manifests go before their bundle is forgotten, so that whoever is killed between goes on. Their
 * blobs are given back by the registry's own collection.
 * @returns how many manifests were there
 */
export async function prune(site: string, plan: PrunePlan, registry: Registry, signal?: AbortSignal): Promise<number> {
  let removed = 0;
  for (const { repository, digest } of plan.manifests) {
    if (await registry.deleteManifest(repository, digest, signal)) removed += 1;
  }
  for (const { digest } of plan.remove) forgetVersion(site, digest);
  return removed;
}
