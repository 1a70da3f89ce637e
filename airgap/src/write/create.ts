import { createHash, type KeyObject } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { writeAtomic } from '@delos/host';
import { type Content, contentError } from '../content/content.ts';
import type { Since } from '../delta/inventory.ts';
import { canonicalBytes, type Json } from '../format/canonical.ts';
import { type Digest, digestOf, hexOf } from '../format/digest.ts';
import { indexFaults } from '../format/index-rules.ts';
import {
  type BundleIndex,
  bundleIndex,
  FORMAT,
  INDEX_FILE,
  KEYS_FOLDER,
  PACKS_FOLDER,
  type PackEntry,
  type Piece,
  SIGNATURE_FILE,
} from '../format/index-schema.ts';
import { byDigest, planPacks } from '../format/plan.ts';
import { entryHeader, entryName, packBytes, packFile, paddingOf, TRAILER } from '../format/tar.ts';
import { HashBeside, HashHere, type PackHash } from '../read/pack-hash.ts';
import type { CarriedList } from '../trust/chain.ts';
import { seal } from '../trust/dsse.ts';
import { keyListFile, keySignatureFile } from '../trust/key-list.ts';
import { PAYLOAD_TYPE, statementOf } from '../trust/statement.ts';
import { PackSink } from './pack-sink.ts';

/** From so many bytes on a second thread pays. */
const BESIDE_FROM_BYTES = 64 * 2 ** 20;

/** What a bundle is made of, but for its content. */
export interface CreateInput {
  readonly name: string;
  readonly release: string;
  /** ISO 8601. Same inputs, same bytes: so the time is one of them. */
  readonly createdAt: string;
  readonly made: BundleIndex['made'];
  readonly content: Content;
  readonly packBytes: number;
  /** Private keys that sign, at least one. */
  readonly keys: readonly KeyObject[];
  /** Lists of keys that sites may not have yet. */
  readonly lists: readonly CarriedList[];
  /** Blobs that the site has already, and the document that lists them. */
  readonly since?: Since;
}

export interface CreateOptions {
  /** Bytes of packs that were written so far. */
  readonly onProgress?: (done: number, pack: number) => void;
  readonly signal?: AbortSignal;
}

export interface Created {
  readonly index: BundleIndex;
  /** Digest of the index. */
  readonly digest: Digest;
}

/** Decides which blob lies in which pack, and which blobs the bundle leaves out because the site has them. Reads and writes nothing. */
export function planBundle(input: Pick<CreateInput, 'content' | 'packBytes' | 'since'>) {
  const needed = new Set(input.content.items.flatMap(({ descriptor, parts }) => [descriptor.digest, ...parts]));
  const all = [...needed].map((digest) => {
    const source = input.content.blobs.get(digest);
    if (source === undefined) throw contentError(`blob ${digest} has no source`, 'this is a defect: please report it');
    return { digest, size: source.size };
  });
  const has = input.since?.has ?? new Set<Digest>();
  const blobs = all.filter(({ digest }) => !has.has(digest)).toSorted(byDigest);
  const base = all.filter(({ digest }) => has.has(digest)).toSorted(byDigest);
  const packs = planPacks(blobs, input.packBytes);
  const bytes = packs.reduce((sum, pieces) => sum + packBytes(pieces.map(({ size }) => size)), 0);
  return { blobs, base, packs, bytes };
}

/**
 * Writes a bundle into a folder that has none. Index and signature come last, so that a folder without them is none; what a
 * run that was killed has left there goes first. Each byte is read once and hashed on its way.
 * @throws DelosError ERR_CONFLICT for a folder that has a bundle or something else, ERR_BUNDLE_CONTENT for a blob that
 *   is not what its digest says, ERR_USAGE where nobody signs
 */
export async function createBundle(folder: string, input: CreateInput, options: CreateOptions = {}): Promise<Created> {
  if (input.keys.length === 0) {
    throw new DelosError('ERR_USAGE', 'a bundle is always signed, and no key was given', {
      hint: '`delos bundle new-key FILE` makes one',
    });
  }
  await emptied(folder);
  const { blobs, base, packs: planned, bytes } = planBundle(input);
  const packsFolder = join(folder, PACKS_FOLDER);
  await mkdir(packsFolder, { recursive: true });
  const writer = new PackWriter(
    packsFolder,
    input.content,
    new Map(blobs.map((blob) => [blob.digest, blob.size])),
    bytes >= BESIDE_FROM_BYTES ? new HashBeside() : new HashHere(),
    options,
  );
  const packs: PackEntry[] = [];
  try {
    for (const pieces of planned) packs.push(await writer.write(pieces));
  } finally {
    await writer.close();
  }
  const { since } = input;
  const index = bundleIndex.parse({
    format: FORMAT,
    name: input.name,
    release: input.release,
    createdAt: input.createdAt,
    made: input.made,
    ...(since === undefined ? {} : { since: { kind: since.kind, digest: since.digest } }),
    keys: input.lists.map(({ version, content, signature }) => ({
      version,
      list: digestOf(content),
      signature: digestOf(signature),
    })),
    items: [...input.content.items],
    blobs,
    base,
    packs,
  } satisfies BundleIndex);
  const [wrong] = indexFaults(index);
  if (wrong !== undefined)
    throw new DelosError('ERR_INTERNAL', wrong.message, { hint: 'this is a defect: please report it' });
  const content = canonicalBytes(index as Json);
  for (const { version, content: list, signature } of input.lists) {
    writeAtomic(join(folder, KEYS_FOLDER, keyListFile(version)), list.toString('utf8'), 0o644);
    writeAtomic(join(folder, KEYS_FOLDER, keySignatureFile(version)), signature.toString('utf8'), 0o644);
  }
  writeAtomic(join(folder, INDEX_FILE), content.toString('utf8'), 0o644);
  const digest = digestOf(content);
  const signature = seal(PAYLOAD_TYPE, statementOf('index', INDEX_FILE, hexOf(digest)), input.keys);
  writeAtomic(join(folder, SIGNATURE_FILE), signature.toString('utf8'), 0o644);
  return { index, digest };
}

async function emptied(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const found = await readdir(folder);
  const conflict = (what: string, hint: string): DelosError =>
    new DelosError('ERR_CONFLICT', `${folder} ${what}`, { hint, where: { file: folder } });
  if (found.includes(SIGNATURE_FILE))
    throw conflict('has a bundle', 'a bundle is never overwritten: name another folder');
  const own: readonly string[] = [INDEX_FILE, PACKS_FOLDER, KEYS_FOLDER];
  const strange = found.find((name) => !own.includes(name) && !name.startsWith(`${INDEX_FILE}.`));
  if (strange !== undefined) throw conflict(`has ${strange}, which is no part of a bundle`, 'name an empty folder');
  for (const name of found) await rm(join(folder, name), { recursive: true, force: true });
}

/** Writes packs one after the other; a blob may go on in the next. */
class PackWriter {
  readonly #folder: string;
  readonly #content: Content;
  readonly #sizes: ReadonlyMap<Digest, number>;
  readonly #options: CreateOptions;
  readonly #hash: PackHash;
  #blobHash = createHash('sha256');
  #done = 0;
  #nth = 0;

  constructor(
    folder: string,
    content: Content,
    sizes: ReadonlyMap<Digest, number>,
    hash: PackHash,
    options: CreateOptions,
  ) {
    this.#hash = hash;
    this.#folder = folder;
    this.#content = content;
    this.#sizes = sizes;
    this.#options = options;
  }

  async write(pieces: readonly Piece[]): Promise<PackEntry> {
    this.#nth += 1;
    const draft = join(this.#folder, `.writing-${this.#nth}`);
    const file = await open(draft, 'wx', 0o644);
    const sink = new PackSink(file, this.#hash);
    const put = async (bytes: Buffer): Promise<void> => {
      this.#done += bytes.length;
      await sink.put(bytes);
    };
    let digest: Digest;
    try {
      for (const piece of pieces) {
        const name = entryName(piece, { digest: piece.blob, size: this.#sizes.get(piece.blob) ?? 0 });
        await put(entryHeader(name, piece.size));
        await this.#copy(piece, put);
        await put(Buffer.alloc(paddingOf(piece.size)));
      }
      await put(Buffer.alloc(TRAILER));
      digest = await sink.end();
    } finally {
      await file.close();
    }
    await rename(draft, join(this.#folder, packFile(digest)));
    return { digest, size: sink.size, pieces: [...pieces] };
  }

  close(): Promise<void> {
    return this.#hash.close();
  }

  async #copy(piece: Piece, put: (bytes: Buffer) => Promise<void>): Promise<void> {
    const source = this.#content.blobs.get(piece.blob);
    if (source === undefined)
      throw contentError(`blob ${piece.blob} has no source`, 'this is a defect: please report it');
    if (piece.from === 0) this.#blobHash = createHash('sha256');
    let done = 0;
    for await (const bytes of source.read(piece.from, piece.size, 'lent')) {
      this.#options.signal?.throwIfAborted();
      this.#blobHash.update(bytes);
      done += bytes.length;
      await put(bytes);
      this.#options.onProgress?.(this.#done, this.#nth);
    }
    const changed = (what: string): DelosError =>
      contentError(`${source.from} ${what}`, 'it has changed since it was stored: build or fetch it again', {
        blob: piece.blob,
      });
    if (done !== piece.size) throw changed(`ended after ${piece.from + done} bytes, expected ${source.size}`);
    if (piece.from + piece.size < source.size) return;
    const found = this.#blobHash.digest('hex');
    if (found !== hexOf(piece.blob)) throw changed(`has sha256 ${found}, expected ${hexOf(piece.blob)}`);
  }
}
