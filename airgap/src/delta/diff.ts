import type { Digest } from '../format/digest.ts';
import type { BundleIndex, Item } from '../format/index-schema.ts';

/** How one bundle differs from another. */
export interface Difference {
  readonly added: readonly Item[];
  readonly removed: readonly Item[];
  /** Of the same name, and another content. */
  readonly changed: readonly { readonly before: Item; readonly after: Item }[];
  readonly same: number;
  /** Blobs that the second needs and the first neither has nor builds on. */
  readonly blobs: number;
  /** Of those blobs: what a delta would have to carry, without the headers of packs. */
  readonly bytes: number;
}

/** Images differ by release in their tags, so they are paired by their names without. */
const keyOf = ({ kind, name }: Item): string =>
  `${kind} ${kind === 'image' ? name.replace(/(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/, '') : name}`;

export function difference(before: BundleIndex, after: BundleIndex): Difference {
  // Lists of software follow their images.
  const shown = ({ kind }: Item): boolean => kind !== 'sbom';
  const old = Map.groupBy(before.items.filter(shown), keyOf);
  const young = Map.groupBy(after.items.filter(shown), keyOf);
  const added: Item[] = [];
  const removed: Item[] = [];
  const changed: { before: Item; after: Item }[] = [];
  let same = 0;
  for (const key of new Set([...old.keys(), ...young.keys()])) {
    const digests = new Set((old.get(key) ?? []).map(({ descriptor }) => descriptor.digest));
    const kept = new Set(
      (young.get(key) ?? []).map(({ descriptor }) => descriptor.digest).filter((digest) => digests.has(digest)),
    );
    same += kept.size;
    const gone = (old.get(key) ?? []).filter(({ descriptor }) => !kept.has(descriptor.digest));
    const come = (young.get(key) ?? []).filter(({ descriptor }) => !kept.has(descriptor.digest));
    come.forEach((item, nth) => {
      const counterpart = gone[nth];
      if (counterpart === undefined) added.push(item);
      else changed.push({ before: counterpart, after: item });
    });
    removed.push(...gone.slice(come.length));
  }
  const has = new Set<Digest>([...before.blobs, ...before.base].map(({ digest }) => digest));
  const lacking = [...after.blobs, ...after.base].filter(({ digest }) => !has.has(digest));
  const bytes = lacking.reduce((sum, { size }) => sum + size, 0);
  return { added, removed, changed, same, blobs: lacking.length, bytes };
}
