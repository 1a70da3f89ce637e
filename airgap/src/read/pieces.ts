import type { FileHandle } from 'node:fs/promises';

/** How much is read at once. */
export const READ_BYTES = 2 ** 20;

/**
 * Whether whoever asks keeps the pieces that it gets, or only looks at each until it asks for the next. Pieces that are lent lie in two buffers
 * by turns: memory that is made anew for each would have to be collected as fast as a disk is read.
 */
export type Pieces = 'kept' | 'lent';

/** `length` bytes of a file from the one at `at` on, or fewer where it ends before; the next piece is read while the last is used. */
export async function* piecesOf(
  handle: FileHandle,
  at: number,
  length: number,
  pieces: Pieces,
): AsyncGenerator<Buffer> {
  const lent: Buffer[] = [];
  let turn = 0;
  const bufferOf = (size: number): Buffer => {
    // A short one is never overwritten: a socket may still have it when it asks for the next.
    if (pieces === 'kept' || size < READ_BYTES) return Buffer.allocUnsafe(size);
    turn = 1 - turn;
    const buffer = lent[turn] ?? Buffer.allocUnsafeSlow(READ_BYTES);
    lent[turn] = buffer;
    return buffer;
  };
  const fetch = async (from: number): Promise<Buffer> => {
    const size = Math.min(READ_BYTES, length - from);
    if (size <= 0) return Buffer.alloc(0);
    const buffer = bufferOf(size);
    const { bytesRead } = await handle.read(buffer, 0, size, at + from);
    return buffer.subarray(0, bytesRead);
  };
  let done = 0;
  let coming = fetch(0);
  try {
    for (;;) {
      const piece = await coming;
      if (piece.length === 0) return;
      done += piece.length;
      coming = fetch(done);
      // Whoever stops before it comes does not want to know of its failure.
      coming.catch(() => undefined);
      yield piece;
    }
  } finally {
    await coming.catch(() => undefined);
  }
}
