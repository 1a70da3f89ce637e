import type { Piece, SizedBlob } from './index-schema.ts';
import { BLOCK, entryBytes, MOST_ENTRY_BYTES, TRAILER } from './tar.ts';

export const DEFAULT_PACK_BYTES = 2 ** 30;
export const LEAST_PACK_BYTES = 2 ** 14;
export const MOST_PACK_BYTES = MOST_ENTRY_BYTES - TRAILER;

export const byDigest = (a: SizedBlob, b: SizedBlob): number =>
  a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0;

/**
 * Which pieces lie in which pack: blobs in the order of their digests, each in the first pack that has room behind the
 * one before. Only a blob that no pack has room for is cut. The same blobs are always laid out alike.
 *
 * @param most bytes of a pack, {@link LEAST_PACK_BYTES} to {@link MOST_PACK_BYTES}
 */
export function planPacks(blobs: readonly SizedBlob[], most: number): readonly (readonly Piece[])[] {
  if (!Number.isInteger(most) || most < LEAST_PACK_BYTES || most > MOST_PACK_BYTES) {
    throw new RangeError(`a pack of ${most} bytes: expected ${LEAST_PACK_BYTES} to ${MOST_PACK_BYTES}`);
  }
  const packs: Piece[][] = [];
  let open: Piece[] = [];
  let used = TRAILER;
  const close = (): void => {
    if (open.length > 0) packs.push(open);
    open = [];
    used = TRAILER;
  };
  const add = (piece: Piece): void => {
    open.push(piece);
    used += entryBytes(piece.size);
  };
  const largest = Math.floor((most - TRAILER - BLOCK) / BLOCK) * BLOCK;
  for (const { digest, size } of blobs.toSorted(byDigest)) {
    if (used + entryBytes(size) > most) close();
    if (size <= largest) {
      add({ blob: digest, from: 0, size });
      continue;
    }
    for (let from = 0; from < size; from += largest) {
      const part = Math.min(largest, size - from);
      if (used + entryBytes(part) > most) close();
      add({ blob: digest, from, size: part });
    }
  }
  close();
  return packs;
}
