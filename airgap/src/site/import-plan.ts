import type { Digest } from '../format/digest.ts';
import type { BundleIndex } from '../format/index-schema.ts';
import { OCI_MANIFEST } from '../format/manifest.ts';
import { BLOCK, paddingOf } from '../format/tar.ts';
import { type Place, placesOf } from './place.ts';

/** Bytes of a pack. */
export interface Span {
  /** Digest of the pack. */
  readonly pack: Digest;
  /** In the pack's file. */
  readonly at: number;
  readonly size: number;
}

/** A blob that is sent to one repository, and taken over by others. */
export interface Upload {
  readonly digest: Digest;
  readonly size: number;
  readonly spans: readonly Span[];
  readonly repository: string;
}

/** A blob that a repository takes over from another. */
export interface Mount {
  readonly digest: Digest;
  readonly repository: string;
  readonly from: string;
}

/** A manifest that is stored under a tag, or by its digest. */
export interface Naming {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly repository: string;
  /** Tag, or the digest itself for what an index leads to. */
  readonly reference: string;
}

export interface ImportPlan {
  readonly uploads: readonly Upload[];
  readonly mounts: readonly Mount[];
  readonly namings: readonly Naming[];
  /** Blobs that must be there already, with repositories that may have them. */
  readonly base: readonly {
    readonly digest: Digest;
    readonly size: number;
    readonly repositories: readonly string[];
  }[];
}

/** Where each blob of the packs lies. */
export function spansOf(index: BundleIndex): ReadonlyMap<Digest, readonly Span[]> {
  const spans = new Map<Digest, Span[]>();
  for (const pack of index.packs) {
    let at = 0;
    for (const { blob, size } of pack.pieces) {
      at += BLOCK;
      const own = spans.get(blob) ?? [];
      own.push({ pack: pack.digest, at, size });
      spans.set(blob, own);
      at += size + paddingOf(size);
    }
  }
  return spans;
}

/**
 * What an import does, in the order in which it must: blobs, then their further repositories, then manifests, what an index
 * leads to before itself. Pure: the same index makes the same plan, so that whoever goes on does the rest.
 *
 * @param known repositories of blobs that are at the site, by earlier bundles
 */
export function planImport(index: BundleIndex, known: ReadonlyMap<Digest, readonly string[]> = new Map()): ImportPlan {
  const repositories = new Map<Digest, Set<string>>();
  const inner: Naming[] = [];
  const outer: Naming[] = [];
  for (const item of index.items) {
    const { descriptor, parts, manifests = [] } = item;
    const places: readonly Place[] = placesOf(item);
    const nested = new Set(manifests);
    for (const { repository, tag } of places) {
      for (const digest of parts.filter((part) => !nested.has(part))) {
        const own = repositories.get(digest) ?? new Set();
        repositories.set(digest, own.add(repository));
      }
      // The last of them leads to no other, so from there back to the first.
      for (const digest of manifests.toReversed())
        inner.push({ digest, mediaType: OCI_MANIFEST, repository, reference: digest });
      outer.push({ digest: descriptor.digest, mediaType: descriptor.mediaType, repository, reference: tag });
    }
  }
  const spans = spansOf(index);
  const sizes = new Map(index.blobs.map(({ digest, size }) => [digest, size]));
  const uploads: Upload[] = [];
  const mounts: Mount[] = [];
  for (const [digest, wanted] of repositories) {
    const size = sizes.get(digest);
    const [first = '', ...others] = [...wanted];
    if (size !== undefined) uploads.push({ digest, size, spans: spans.get(digest) ?? [], repository: first });
    const from = size === undefined ? (known.get(digest)?.[0] ?? first) : first;
    for (const repository of size === undefined ? wanted : others) {
      if (repository !== from) mounts.push({ digest, repository, from });
    }
  }
  const base = index.base.map(({ digest, size }) => ({
    digest,
    size,
    repositories: [...new Set([...(known.get(digest) ?? []), ...(repositories.get(digest) ?? [])])],
  }));
  const order = new Map(index.packs.map(({ digest }, nth) => [digest, nth]));
  const where = ({ spans: [first] }: Upload): number =>
    first === undefined ? 0 : (order.get(first.pack) ?? 0) * 2 ** 40 + first.at;
  return { uploads: uploads.toSorted((a, b) => where(a) - where(b)), mounts, namings: [...inner, ...outer], base };
}
