import { type Digest, hexOf } from './digest.ts';
import type { Piece, SizedBlob } from './index-schema.ts';

/*
 * A pack is a tar (POSIX ustar) with headers that leave nothing open: mode 0644, user and group 0, time 0. So its bytes
 * follow from its blobs, and any tar program unpacks it.
 */

export const BLOCK = 512;
/** Two blocks of zeros end a tar. */
export const TRAILER = 2 * BLOCK;
/** The size of an entry is eleven octal digits. */
export const MOST_ENTRY_BYTES = 8 ** 11 - 1;

/** A whole blob lies where an OCI layout has it; pieces of one lie apart, and `cat` in the order of their names joins them. */
export function entryName(piece: Piece, blob: SizedBlob): string {
  const hex = hexOf(piece.blob);
  if (piece.from === 0 && piece.size === blob.size) return `blobs/sha256/${hex}`;
  return `parts/sha256/${hex}.${String(piece.from).padStart(16, '0')}`;
}

export const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
export const entryBytes = (size: number): number => BLOCK + size + paddingOf(size);

/** How long a pack of entries of these sizes is. */
export const packBytes = (sizes: readonly number[]): number =>
  sizes.reduce((sum, size) => sum + entryBytes(size), TRAILER);

/** @throws RangeError for a name or size that ustar has no room for */
export function entryHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(name) > 100 || size > MOST_ENTRY_BYTES) throw new RangeError(`${name}: no room in ustar`);
  const put = (text: string, at: number): void => void header.write(text, at, 'latin1');
  put(name, 0);
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${size.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put(' '.repeat(8), 148);
  put('0', 156);
  put('ustar\x0000', 257);
  put('0000000\0', 329);
  put('0000000\0', 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Name of a pack's file. */
export const packFile = (of: Digest): string => `sha256-${hexOf(of)}.tar`;
