import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { type Digest, hexOf } from '../format/digest.ts';
import { COPY_AGAIN, type Fault } from '../format/fault.ts';
import { MOST_MANIFEST_BYTES, type PackEntry, type Piece } from '../format/index-schema.ts';
import { entryHeader, entryName, packFile, paddingOf, TRAILER } from '../format/tar.ts';
import type { PackHash } from './pack-hash.ts';

const ZEROS = Buffer.alloc(TRAILER);

/** Follows blobs through packs: digests of those that are cut over several packs, and the bytes of manifests. */
export class BlobWatch {
  readonly sizes: ReadonlyMap<Digest, number>;
  readonly #kept: ReadonlySet<Digest>;
  readonly #onKept: (of: Digest, bytes: Buffer) => void;
  #open: { readonly blob: Digest; readonly hash: Hash; readonly kept: Buffer[] | undefined } | undefined;
  readonly #lost = new Set<Digest>();

  /** @param kept manifests: their bytes are given to `onKept` once their digest is right */
  constructor(
    sizes: ReadonlyMap<Digest, number>,
    kept: ReadonlySet<Digest>,
    onKept: (of: Digest, bytes: Buffer) => void,
  ) {
    this.sizes = sizes;
    this.#kept = kept;
    this.#onKept = onKept;
  }

  /** A pack that was not read: nothing can be said of blobs that go on in the next. */
  lose(pack: PackEntry): void {
    for (const { blob } of pack.pieces) this.#lost.add(blob);
  }

  begin({ blob, from }: Piece): void {
    if (from > 0) return;
    const keep = this.#kept.has(blob) && (this.sizes.get(blob) ?? 0) <= MOST_MANIFEST_BYTES;
    this.#open = { blob, hash: createHash('sha256'), kept: keep ? [] : undefined };
  }

  take(bytes: Buffer): void {
    this.#open?.hash.update(bytes);
    this.#open?.kept?.push(Buffer.from(bytes));
  }

  /** @returns the digest of a blob that ends with this piece and is another than its own */
  end(piece: Piece): Digest | undefined {
    if (piece.from + piece.size !== this.sizes.get(piece.blob) || this.#lost.has(piece.blob)) return undefined;
    const open = this.#open;
    this.#open = undefined;
    if (open?.blob !== piece.blob) return undefined;
    const found: Digest = `sha256:${open.hash.digest('hex')}`;
    if (found !== piece.blob) return found;
    if (open.kept !== undefined) this.#onKept(piece.blob, Buffer.concat(open.kept));
    return undefined;
  }
}

export interface PackRead {
  readonly handle: FileHandle;
  /** Path in the bundle, for messages. */
  readonly file: string;
  readonly pack: PackEntry;
  readonly watch: BlobWatch;
  /** Lends buffers, and hashes the pack where it is {@link isCut}. */
  readonly hash: PackHash;
  readonly onBytes: (more: number) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Whether blobs are cut at the ends of a pack. The bytes of any other pack follow from the index and from the digests of its blobs, so that a hash of
 * it says nothing more. Of a cut one it says which of the packs is bad.
 */
export const isCut = ({ pieces }: PackEntry, sizes: BlobWatch['sizes']): boolean =>
  pieces.some(({ blob, size }) => sizes.get(blob) !== size);

/** Reads a file from its first byte on; the next buffer is read while the last is looked at. */
class ReadAhead {
  position = 0;
  readonly #read: PackRead;
  readonly #hashed: boolean;
  #buffer: Buffer | undefined;
  #at = 0;
  #filled = 0;
  #coming: Promise<{ readonly buffer: Buffer; readonly length: number }> | undefined;

  constructor(read: PackRead, hashed: boolean) {
    this.#read = read;
    this.#hashed = hashed;
  }

  /** The next bytes, at most so many; empty at the end of the file. */
  async next(most: number): Promise<Buffer> {
    if (this.#buffer === undefined || this.#at === this.#filled) await this.#turn();
    const bytes = this.#buffer?.subarray(this.#at, Math.min(this.#filled, this.#at + most)) ?? Buffer.alloc(0);
    this.#at += bytes.length;
    return bytes;
  }

  /** Gives back what it has. */
  async end(): Promise<void> {
    const coming = await this.#coming;
    for (const buffer of [this.#buffer, coming?.buffer]) if (buffer !== undefined) this.#read.hash.giveBack(buffer);
    this.#buffer = undefined;
    this.#coming = undefined;
  }

  async #turn(): Promise<void> {
    const { hash, onBytes, signal } = this.#read;
    signal?.throwIfAborted();
    if (this.#buffer !== undefined) hash.giveBack(this.#buffer);
    this.#buffer = undefined;
    const { buffer, length } = await (this.#coming ?? this.#fetch(0));
    this.#coming = undefined;
    [this.#buffer, this.#at, this.#filled] = [buffer, 0, length];
    this.position += length;
    if (length === 0) return;
    if (this.#hashed) hash.take(buffer, length);
    onBytes(length);
    this.#coming = this.#fetch(this.position);
    // Whoever stops before it comes does not want to know of its failure.
    this.#coming.catch(() => undefined);
  }

  async #fetch(position: number): Promise<{ readonly buffer: Buffer; readonly length: number }> {
    const buffer = await this.#read.hash.lend();
    const { bytesRead } = await this.#read.handle.read(buffer, 0, buffer.length, position);
    return { buffer, length: bytesRead };
  }
}

/** What a stretch of a pack must be: these bytes, or the content of a piece. */
type Stretch =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly what: string }
  | { readonly kind: 'piece'; readonly piece: Piece };

function* stretchesOf(pack: PackEntry, sizes: BlobWatch['sizes']): Generator<Stretch> {
  for (const piece of pack.pieces) {
    const name = entryName(piece, { digest: piece.blob, size: sizes.get(piece.blob) ?? 0 });
    yield { kind: 'bytes', bytes: entryHeader(name, piece.size), what: `the entry ${name}` };
    yield { kind: 'piece', piece };
    yield { kind: 'bytes', bytes: ZEROS.subarray(0, paddingOf(piece.size)), what: `what follows ${name}` };
  }
  yield { kind: 'bytes', bytes: ZEROS, what: 'the end of the tar' };
}

/** Reads a pack of the right length, and compares it with the index. */
export async function readPack(read: PackRead): Promise<readonly Fault[]> {
  const { file, pack, watch, hash } = read;
  const faults: Fault[] = [];
  const hashed = isCut(pack, watch.sizes);
  const ahead = new ReadAhead(read, hashed);
  for (const stretch of stretchesOf(pack, watch.sizes)) {
    const length = stretch.kind === 'bytes' ? stretch.bytes.length : stretch.piece.size;
    if (stretch.kind === 'piece') watch.begin(stretch.piece);
    let same = true;
    for (let done = 0; done < length; ) {
      const bytes = await ahead.next(length - done);
      if (bytes.length === 0) {
        await ahead.end();
        if (hashed) await hash.digest();
        return [...faults, shrunk(file, pack, ahead.position)];
      }
      if (stretch.kind === 'piece') watch.take(bytes);
      else if (!bytes.equals(stretch.bytes.subarray(done, done + bytes.length))) same = false;
      done += bytes.length;
    }
    if (!same && stretch.kind === 'bytes') faults.push(otherEntry(file, pack, stretch.what));
    if (stretch.kind === 'piece') {
      const found = watch.end(stretch.piece);
      if (found !== undefined) faults.push(otherBlob(file, pack, stretch.piece.blob, found));
    }
  }
  await ahead.end();
  if (!hashed) return faults;
  const found = await hash.digest();
  if (found !== pack.digest) {
    // A blob that goes on in the next pack is wrong by this one.
    watch.lose(pack);
    if (faults.length === 0) faults.push(otherPack(file, pack, found));
  }
  return faults;
}

function shrunk(file: string, pack: PackEntry, bytes: number): Fault {
  return {
    kind: 'pack-size',
    message: `${file} ended after ${bytes} bytes, expected ${pack.size}`,
    todo: 'look at the medium, copy this one file again, then run this again',
    ...{ file, pack: pack.digest, expected: String(pack.size), found: String(bytes) },
  };
}

function otherEntry(file: string, pack: PackEntry, what: string): Fault {
  return {
    kind: 'pack-entry',
    message: `${file}: ${what} is not as the index says`,
    todo: COPY_AGAIN,
    ...{ file, pack: pack.digest },
  };
}

function otherBlob(file: string, pack: PackEntry, blob: Digest, found: Digest): Fault {
  return {
    kind: 'blob-changed',
    message: `${file}: blob ${hexOf(blob).slice(0, 12)} has sha256 ${hexOf(found)}, expected ${hexOf(blob)}`,
    todo: COPY_AGAIN,
    ...{ file, pack: pack.digest, blob, expected: blob, found },
  };
}

function otherPack(file: string, pack: PackEntry, found: Digest): Fault {
  return {
    kind: 'pack-changed',
    message: `${packFile(pack.digest)} has sha256 ${hexOf(found)}, expected ${hexOf(pack.digest)}`,
    todo: COPY_AGAIN,
    ...{ file, pack: pack.digest, expected: pack.digest, found },
  };
}
