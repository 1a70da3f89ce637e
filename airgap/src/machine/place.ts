import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TOOLS, type ToolName } from '@delos/artifacts';
import { mirrorStore, placeImages, toolchain } from '@delos/cluster';
import { DelosError, type InstancePaths, type Progress } from '@delos/core';
import { toolItem } from '../content/tools.ts';
import { type Digest, hexOf } from '../format/digest.ts';
import type { Item } from '../format/index-schema.ts';
import type { OpenBundle } from '../read/open.ts';
import { spansOf } from '../site/import-plan.ts';
import { PackFiles } from '../site/pack-files.ts';
import { placesOf } from '../site/place.ts';

/** What of a bundle a machine may want by itself. */
export type PlacedPart = 'tools' | 'images' | 'wheels' | 'debian';

export interface PlaceOptions {
  /** @default all */
  readonly parts?: readonly PlacedPart[];
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Where on this machine what is no image lies. */
export interface Placed {
  /** For `pip install --find-links`. */
  readonly wheels: string;
  /** For apt; undefined where the bundle has no packages of this release of Debian. */
  readonly debian: string | undefined;
}

const ALL_PARTS: readonly PlacedPart[] = ['tools', 'images', 'wheels', 'debian'];

/** Beside what is placed, a file system wants room for what it notes of it. */
const SPARE_BYTES = 64 * 2 ** 20;

/**
 * Puts all of a bundle that an installation runs on into the cache of this machine: tools, images, wheels, and packages of Debian.
 * Each blob is compared with its digest on its way. What is there already is left as it is, so that whoever was killed goes on.
 * @throws DelosError ERR_DISK_SPACE, ERR_BUNDLE_CONTENT for a delta, which has not everything, ERR_BUNDLE_IMPORT for a medium that is gone
 */
export async function placeBundle(
  bundle: OpenBundle,
  codename: string | undefined,
  { paths, progress, signal, parts }: PlaceOptions,
): Promise<Placed> {
  const { index, folder } = bundle;
  if (index.since !== undefined) {
    throw new DelosError('ERR_BUNDLE_CONTENT', `${folder} is a delta, which lacks what an earlier bundle had`, {
      hint: 'an installation takes a whole bundle: make it without --since',
    });
  }
  const wants = (part: PlacedPart): boolean => parts?.includes(part) ?? true;
  const kinds: Readonly<Record<PlacedPart, Item['kind']>> = {
    tools: 'tool',
    images: 'image',
    wheels: 'wheel',
    debian: 'deb',
  };
  const wanted = index.items.filter(({ kind }) => ALL_PARTS.some((part) => kinds[part] === kind && wants(part)));
  const blobs = new Blobs(bundle, signal);
  try {
    await requireRoom(
      paths.cache,
      [...new Set(wanted.flatMap((item) => item.parts))].reduce((sum, digest) => sum + blobs.size(digest), 0),
    );
    const byName = new Map(wanted.map((item) => [`${item.kind} ${item.name}`, item]));
    for (const name of Object.keys(TOOLS) as ToolName[]) {
      const item = byName.get(`tool ${toolItem(name)}`);
      if (item === undefined || item.about?.key !== (await toolchain().key(name))) continue;
      progress.step(`placing ${name}`);
      await toolchain().place(name, (path) => blobs.write(contentOf(item), path), progress);
    }
    const images = wanted.filter(({ kind }) => kind === 'image');
    if (images.length > 0) progress.step(`placing ${images.length} images`);
    await placeImages(mirrorStore(paths), images.map(imageOf), blobs, progress);
    const home = join(paths.cache, 'bundle', hexOf(bundle.digest).slice(0, 16));
    const wheels = join(home, 'wheels');
    await mkdir(wheels, { recursive: true });
    for (const item of wanted.filter(({ kind }) => kind === 'wheel')) {
      await blobs.file(contentOf(item), join(wheels, lastPart(item.name)));
    }
    const debian = wanted.filter(({ kind, name }) => kind === 'deb' && name.startsWith(`${codename ?? ''}/`));
    for (const item of debian) await blobs.file(contentOf(item), join(home, 'debian', lastPart(item.name)));
    return { wheels, debian: debian.length === 0 ? undefined : join(home, 'debian') };
  } finally {
    await blobs.close();
  }
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** The file that an item is. */
function contentOf({ name, parts }: Item): Digest {
  const content = parts.at(-1);
  if (content === undefined) throw new DelosError('ERR_BUNDLE_CONTENT', `${name} has no content`);
  return content;
}

function imageOf(item: Item) {
  const { descriptor, parts, manifests = [] } = item;
  const inner = new Set(manifests);
  return {
    digest: descriptor.digest,
    manifests,
    layers: parts.filter((part) => !inner.has(part)),
    places: placesOf(item),
  };
}

async function requireRoom(cache: string, bytes: number): Promise<void> {
  await mkdir(cache, { recursive: true });
  const { bavail, bsize } = await statfs(cache);
  const [needed, free] = [bytes + SPARE_BYTES, bavail * bsize];
  if (free >= needed) return;
  throw new DelosError('ERR_DISK_SPACE', `${cache} has ${free} bytes free, and the bundle needs ${needed}`, {
    hint: `free ${needed - free} bytes, or set XDG_CACHE_HOME to a larger disk`,
  });
}

/** Blobs of a bundle's packs. */
class Blobs {
  readonly #packs: PackFiles;
  readonly #spans: ReturnType<typeof spansOf>;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #signal: AbortSignal;

  constructor({ folder, index }: OpenBundle, signal: AbortSignal) {
    this.#packs = new PackFiles(folder);
    this.#spans = spansOf(index);
    this.#sizes = new Map(index.blobs.map(({ digest, size }) => [digest, size]));
    this.#signal = signal;
  }

  readonly size = (digest: string): number => this.#sizes.get(digest) ?? 0;

  /** Writes a blob to a path that is taken for nothing until it is renamed. */
  readonly write = async (digest: string, path: string): Promise<void> => {
    const hash = createHash('sha256');
    const spans = this.#spans.get(digest as Digest) ?? [];
    const bytes = this.#packs.read(spans, 0, Number.MAX_SAFE_INTEGER);
    const hashed = async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of source) {
        hash.update(piece);
        yield piece;
      }
    };
    await pipeline(bytes, hashed, createWriteStream(path), { signal: this.#signal });
    const found = `sha256:${hash.digest('hex')}`;
    if (found === digest) return;
    throw new DelosError('ERR_BUNDLE_CONTENT', `a blob of the bundle has ${found}, expected ${digest}`, {
      hint: 'the bundle has changed since it was verified: run this again, which tells which pack to copy again',
    });
  };

  /** A whole file, once. */
  async file(digest: Digest, path: string): Promise<void> {
    if ((await stat(path).catch(() => undefined))?.size === this.size(digest)) return;
    await mkdir(dirname(path), { recursive: true });
    try {
      await this.write(digest, `${path}.new`);
      await rename(`${path}.new`, path);
    } finally {
      await rm(`${path}.new`, { force: true });
    }
  }

  close(): Promise<void> {
    return this.#packs.close();
  }
}
