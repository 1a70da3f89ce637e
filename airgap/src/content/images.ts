import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf, hexOf, isDigest } from '../format/digest.ts';
import { type Item, MOST_MANIFEST_BYTES, REF_NAME } from '../format/index-schema.ts';
import { type Manifest, parseManifest, partsOf } from '../format/manifest.ts';
import { ofFile } from './artifact.ts';
import { type BlobSource, type Content, contentError } from './content.ts';

/** A folder that has blobs by their digests. */
export interface BlobFolder {
  /** The file of a blob, whether or not it is there. */
  readonly fileOf: (of: Digest) => string;
  /** For messages. */
  readonly name: string;
}

/** The store of a distribution registry: https://distribution.github.io/distribution/storage-drivers/filesystem/ */
export function registryStore(root: string): BlobFolder {
  return {
    name: root,
    fileOf: (of) => join(root, 'docker/registry/v2/blobs/sha256', hexOf(of).slice(0, 2), hexOf(of), 'data'),
  };
}

/** An OCI image layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md */
export function ociLayout(root: string): BlobFolder {
  return { name: root, fileOf: (of) => join(root, 'blobs/sha256', hexOf(of)) };
}

/** Digest that a tag of a registry's store leads to; undefined where there is no such tag. */
export async function tryTag(root: string, repository: string, tag: string): Promise<Digest | undefined> {
  const link = join(root, 'docker/registry/v2/repositories', repository, '_manifests/tags', tag, 'current/link');
  const text = (await readFile(link, 'utf8').catch(() => '')).trim();
  return isDigest(text) ? text : undefined;
}

export interface ImageItem {
  /** Reference by which nodes ask for it. */
  readonly name: string;
  readonly digest: Digest;
  /** Further references that it answers. */
  readonly answers?: readonly string[];
  readonly about?: Readonly<Record<string, string>>;
}

/**
 * An image of a folder of blobs, with all that its manifest leads to. Blobs are looked at (they are there, and of the right
 * size), not read: whoever writes the bundle reads them once.
 * @throws DelosError ERR_BUNDLE_CONTENT for an image that is not whole there
 */
export async function imageContent(folder: BlobFolder, image: ImageItem): Promise<Content> {
  const missing = (what: string): Error =>
    contentError(
      `image ${image.name} is not whole in ${folder.name}: ${what}`,
      'build or pull it again: `delos up` does',
      {
        image: image.name,
        digest: image.digest,
      },
    );
  const blobs = new Map<Digest, BlobSource>();
  const manifests = new Map<Digest, Manifest>();
  const nested: Digest[] = [];
  const take = async (of: Digest, size: number | undefined): Promise<void> => {
    const file = folder.fileOf(of);
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) throw missing(`it lacks the blob ${of}`);
    if (size !== undefined && found.size !== size) {
      throw missing(`its blob ${of} has ${found.size} bytes, expected ${size}`);
    }
    blobs.set(of, ofFile(file, found.size));
  };
  const follow = async (of: Digest, size: number | undefined, depth: number): Promise<void> => {
    await take(of, size);
    if ((blobs.get(of)?.size ?? 0) > MOST_MANIFEST_BYTES) throw missing(`${of} is too long for a manifest`);
    const bytes = await readFile(folder.fileOf(of));
    const parsed = digestOf(bytes) === of ? parseManifest(bytes) : undefined;
    if (parsed === undefined) throw missing(`its manifest ${of} has changed, or is none`);
    manifests.set(of, parsed);
    if (parsed.kind === 'image') {
      for (const each of parsed.blobs) await take(each.digest, each.size);
      return;
    }
    if (depth > 2) throw missing('its indices lead ever deeper');
    for (const each of parsed.manifests) {
      nested.push(each.digest);
      await follow(each.digest, each.size, depth + 1);
    }
  };
  await follow(image.digest, undefined, 0);
  const top = manifests.get(image.digest);
  const parts = partsOf(image.digest, (of) => manifests.get(of));
  if (top === undefined || parts === undefined) throw missing('its manifest cannot be read');
  const item: Item = {
    kind: 'image',
    name: image.name,
    ...(image.answers === undefined || image.answers.length === 0 ? {} : { answers: [...image.answers] }),
    descriptor: {
      mediaType: top.mediaType,
      digest: image.digest,
      size: blobs.get(image.digest)?.size ?? 0,
      annotations: { [REF_NAME]: image.name },
    },
    parts: [...parts],
    ...(nested.length === 0 ? {} : { manifests: nested }),
    ...(image.about === undefined ? {} : { about: { ...image.about } }),
  };
  return { items: [item], blobs };
}
