import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Progress } from '@delos/core';
import { run, withFileLock } from '@delos/host';

/*
 * Images that come from a bundle are put into the mirror store as files: https://distribution.github.io/distribution/storage-drivers/filesystem/
 * Names come after what they lead to, so that an image is in the store whole or not at all.
 */

/** An image whose blobs somebody has. */
export interface PlacedImage {
  /** Digest of its manifest. */
  readonly digest: string;
  /** Digests of the manifests that it leads to, where it is one for several platforms. */
  readonly manifests: readonly string[];
  /** All other blobs that it leads to. */
  readonly layers: readonly string[];
  readonly places: readonly { readonly repository: string; readonly tag: string }[];
}

export interface BlobsAt {
  readonly size: (digest: string) => number;
  /** Writes a blob to a path. Its bytes are what its digest says, or it throws. */
  readonly write: (digest: string, path: string) => Promise<void>;
}

/** Puts images into the mirror store. Safe to kill, and to call again: what is there is not written again. */
export async function placeImages(
  store: string,
  images: readonly PlacedImage[],
  blobs: BlobsAt,
  progress: Progress,
): Promise<void> {
  const base = join(store, 'docker/registry/v2');
  const waiting = {
    purpose: 'placing images of a bundle',
    limitSeconds: 3600,
    onWait: (holder: { pid: number } | undefined): void =>
      progress.step(`waiting for process ${holder?.pid ?? '?'}, which makes images`),
  };
  await mkdir(base, { recursive: true });
  await withFileLock(join(store, '..', 'lock'), waiting, async () => {
    const all = new Set(images.flatMap(({ digest, manifests, layers }) => [digest, ...manifests, ...layers]));
    for (const digest of all) await placeBlob(base, digest, blobs);
    // A name must not reach the disk before what it leads to.
    await run('sync', ['-f', base], { limitSeconds: 600 });
    for (const image of images) await placeNames(base, image);
  });
}

async function placeBlob(base: string, digest: string, blobs: BlobsAt): Promise<void> {
  const hex = hexOf(digest);
  const path = join(base, 'blobs/sha256', hex.slice(0, 2), hex, 'data');
  const found = await stat(path).catch(() => undefined);
  if (found?.size === blobs.size(digest)) return;
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.new`;
  try {
    await blobs.write(digest, draft);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

async function placeNames(base: string, { digest, manifests, layers, places }: PlacedImage): Promise<void> {
  for (const { repository, tag } of places) {
    const folder = join(base, 'repositories', repository);
    for (const layer of layers) await link(join(folder, '_layers/sha256', hexOf(layer), 'link'), layer);
    for (const each of [...manifests, digest]) {
      await link(join(folder, '_manifests/revisions/sha256', hexOf(each), 'link'), each);
    }
    const tagged = join(folder, '_manifests/tags', tag);
    await link(join(tagged, 'index/sha256', hexOf(digest), 'link'), digest);
    await link(join(tagged, 'current/link'), digest);
  }
}

async function link(path: string, digest: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, digest);
  await rename(`${path}.new`, path);
}

const hexOf = (digest: string): string => digest.slice('sha256:'.length);
