import type { AttemptReader, Piece } from './attempt-reader.ts';

export interface Newest {
  /** In their order. */
  readonly pieces: readonly Piece[];
  /** Bytes before them that were passed over. */
  readonly skipped: number;
  /** Further bytes before the last of them were lost on the node. */
  readonly lost: boolean;
}

const PIECE_BYTES = 256 * 1024;
/** Passed over in one go; then other logs have their turn. */
const SCAN_BYTES = 64 * 2 ** 20;

/**
 * Reads on to the end, or for a while, and keeps the newest pieces, at most `keep` bytes of them but at least one. To
 * read and drop costs little beside packing and sending.
 */
export async function readNewest(reader: AttemptReader, keep: number, rest: boolean): Promise<Newest | undefined> {
  const pieces: Piece[] = [];
  let kept = 0;
  let skipped = 0;
  let lost = false;
  for (let scanned = 0; scanned < SCAN_BYTES; ) {
    const piece = await reader.read(PIECE_BYTES, rest);
    if (piece === undefined) break;
    pieces.push(piece);
    lost ||= piece.lost;
    kept += piece.bytes.length;
    scanned += piece.bytes.length;
    while (pieces.length > 1 && kept > keep) {
      const oldest = pieces.shift()?.bytes.length ?? 0;
      kept -= oldest;
      skipped += oldest;
    }
  }
  return pieces.length === 0 ? undefined : { pieces, skipped, lost };
}
