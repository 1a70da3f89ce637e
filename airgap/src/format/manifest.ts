import { z } from 'zod';
import { type Digest, digest } from './digest.ts';

/*
 * Manifests and indices of the OCI image specification, and Docker's of schema 2, which say the same by other names:
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md
 */

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const MANIFEST_TYPES: readonly string[] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

const reference = z.looseObject({
  mediaType: z.string(),
  digest,
  size: z.int().nonnegative(),
  platform: z.looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() }).optional(),
});
export type Reference = z.infer<typeof reference>;

const manifest = z.looseObject({
  mediaType: z.string().optional(),
  config: reference,
  layers: z.array(reference).max(1000),
});
const index = z.looseObject({ mediaType: z.string().optional(), manifests: z.array(reference).max(200) });

/** What a manifest leads to. */
export type Manifest =
  | { readonly kind: 'image'; readonly mediaType: string; readonly blobs: readonly Reference[] }
  | { readonly kind: 'index'; readonly mediaType: string; readonly manifests: readonly Reference[] };

/** Undefined for bytes that are neither an image's manifest nor an index of such ones. */
export function parseManifest(bytes: Buffer): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  const one = manifest.safeParse(value).data;
  const many = index.safeParse(value).data;
  // A text that is both would be read as one by this program and as the other by the next.
  if ((one === undefined) === (many === undefined)) return undefined;
  if (one !== undefined)
    return { kind: 'image', mediaType: one.mediaType ?? OCI_MANIFEST, blobs: [one.config, ...one.layers] };
  return { kind: 'index', mediaType: many?.mediaType ?? OCI_INDEX, manifests: many?.manifests ?? [] };
}

/** All blobs below a manifest, in order, each once; undefined where one of the manifests on the way is not known. */
export function partsOf(top: Digest, manifestOf: (of: Digest) => Manifest | undefined): readonly Digest[] | undefined {
  const found = new Set<Digest>();
  const follow = (of: Digest): boolean => {
    const read = manifestOf(of);
    if (read === undefined) return false;
    if (read.kind === 'image') {
      for (const blob of read.blobs) found.add(blob.digest);
      return true;
    }
    return read.manifests.every((each) => {
      found.add(each.digest);
      return each.digest !== of && follow(each.digest);
    });
  };
  return follow(top) ? [...found] : undefined;
}
