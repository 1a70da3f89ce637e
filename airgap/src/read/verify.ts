import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf } from '../format/digest.ts';
import { COPY_AGAIN, DO_NOT_USE, type Fault, FaultFound } from '../format/fault.ts';
import { type BundleIndex, PACKS_FOLDER, type PackEntry } from '../format/index-schema.ts';
import { type Manifest, parseManifest, partsOf } from '../format/manifest.ts';
import { packFile } from '../format/tar.ts';
import { openFile, stranger, strangersIn } from './folder.ts';
import type { OpenBundle } from './open.ts';
import { HashBeside, HashHere, type PackHash } from './pack-hash.ts';
import { BlobWatch, isCut, readPack } from './read-pack.ts';

export interface VerifyOptions {
  /** Bytes of packs that were read so far, and what is read now. */
  readonly onProgress?: (done: number, pack: string) => void;
  readonly signal?: AbortSignal;
  /** Hash packs with cut blobs in a thread of its own. @default where there is so much of them that it pays */
  readonly beside?: boolean;
}

/** Below this, a thread takes longer to start than it saves. */
const BESIDE_FROM_BYTES = 64 * 2 ** 20;

/** What reading every byte has found. */
export interface Verified {
  readonly faults: readonly Fault[];
  /** Bytes of packs that were read. */
  readonly bytes: number;
}

/**
 * Reads every pack once, from its first byte to its last, and compares all of it with the index: entries of the tar, blobs,
 * packs, what manifests lead to, and that nothing else lies in the folder. A bad pack does not keep the others from being
 * read: all faults are told at once. Memory does not depend on how large packs and blobs are.
 */
export async function verifyPacks(bundle: OpenBundle, options: VerifyOptions = {}): Promise<Verified> {
  const { folder, index } = bundle;
  const faults: Fault[] = [...(await strangersIn(folder)), ...(await strangePacks(folder, index.packs))];
  const manifests = new Map<Digest, Manifest>();
  const wanted = new Set(index.items.flatMap(({ descriptor, manifests: more = [] }) => [descriptor.digest, ...more]));
  const watch = new BlobWatch(new Map(index.blobs.map(({ digest, size }) => [digest, size])), wanted, (of, bytes) => {
    const parsed = parseManifest(bytes);
    if (parsed !== undefined) manifests.set(of, parsed);
  });
  let bytes = 0;
  const twice = index.packs.reduce((sum, pack) => sum + (isCut(pack, watch.sizes) ? pack.size : 0), 0);
  const hash = (options.beside ?? twice >= BESIDE_FROM_BYTES) ? new HashBeside() : new HashHere();
  try {
    for (const pack of index.packs) {
      options.signal?.throwIfAborted();
      const file = `${PACKS_FOLDER}/${packFile(pack.digest)}`;
      const onBytes = (more: number): void => {
        bytes += more;
        options.onProgress?.(bytes, file);
      };
      faults.push(...(await packFaults({ folder, file, pack, watch, hash, onBytes, signal: options.signal })));
    }
  } finally {
    await hash.close();
  }
  if (faults.length === 0) faults.push(...manifestFaults(index, manifests));
  return { faults, bytes };
}

interface PackOf {
  readonly folder: string;
  readonly file: string;
  readonly pack: PackEntry;
  readonly watch: BlobWatch;
  readonly hash: PackHash;
  readonly onBytes: (more: number) => void;
  readonly signal: AbortSignal | undefined;
}

async function packFaults({ folder, file, pack, watch, hash, onBytes, signal }: PackOf): Promise<readonly Fault[]> {
  let opened: Awaited<ReturnType<typeof openFile>>;
  try {
    opened = await openFile(folder, file);
  } catch (error) {
    if (!(error instanceof FaultFound)) throw error;
    watch.lose(pack);
    const kind = error.fault.kind === 'file-missing' ? 'pack-missing' : error.fault.kind;
    return [{ ...error.fault, kind, pack: pack.digest }];
  }
  try {
    if (opened.size !== pack.size) {
      watch.lose(pack);
      const [expected, found] = [String(pack.size), String(opened.size)];
      return [
        {
          kind: 'pack-size',
          message: `${file} has ${found} bytes, expected ${expected}`,
          todo: COPY_AGAIN,
          ...{ file, pack: pack.digest, expected, found },
        },
      ];
    }
    return await readPack({ handle: opened.handle, file, pack, watch, hash, onBytes, signal });
  } finally {
    await opened.handle.close();
  }
}

/** Files of the folder of packs that the index does not name. */
async function strangePacks(folder: string, packs: readonly PackEntry[]): Promise<readonly Fault[]> {
  const own = new Set(packs.map(({ digest }) => packFile(digest)));
  const entries = await readdir(join(folder, PACKS_FOLDER)).catch((error: NodeJS.ErrnoException) => {
    // Packs that are not there are told one by one.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return entries.filter((name) => !own.has(name)).map((name) => stranger(`${PACKS_FOLDER}/${name}`));
}

/** Each item's manifest leads to the parts that the index says. One that lies at the site is read there. */
function manifestFaults(index: BundleIndex, manifests: ReadonlyMap<Digest, Manifest>): readonly Fault[] {
  const here = new Set(index.blobs.map(({ digest }) => digest));
  return index.items.flatMap(({ kind, name, descriptor, parts, manifests: more = [] }) => {
    if (![descriptor.digest, ...more].every((each) => here.has(each))) return [];
    const found = partsOf(descriptor.digest, (of) => manifests.get(of));
    if (found?.join() === parts.join()) return [];
    return [
      {
        kind: 'manifest' as const,
        message: `the manifest of ${kind} ${name} (${hexOf(descriptor.digest).slice(0, 12)}) ${found === undefined ? 'cannot be read' : 'leads to other blobs than the index says'}`,
        todo: DO_NOT_USE,
        blob: descriptor.digest,
      },
    ];
  });
}
