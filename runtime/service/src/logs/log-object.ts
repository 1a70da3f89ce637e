import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip } from 'node:zlib';
import type { ArchivedChunk } from './log-store.ts';
import type { Bucket } from './object-bucket.ts';

/** Uncompressed bytes of a log in one object, at most. */
export const OBJECT_BYTES = 4 * 2 ** 20;
/** gzip's frame around bytes that it cannot make smaller is far below this. */
const FRAME_BYTES = 64 * 1024;
/** Packed by this: twice as fast as the default, and a tenth larger on text. */
const LEVEL = { level: 3 };
/** Objects that are read at once in this process, whoever reads. */
const READ_AT_ONCE = 4;
const SMALL_BYTES = 16 * 1024;

const inflate = promisify(gunzip);
const deflate = promisify(gzip);

/** The parts of an object's name. Bytes of a log never change, so one name always means one content. */
export interface LogPiece {
  readonly job: string;
  readonly attempt: number;
  readonly start: number;
  readonly length: number;
  readonly digest: string;
}

/** A piece that its index has, and the storage has not. */
export class PieceGone extends Error {}

export const keyOf = ({ job, attempt, start, length, digest }: LogPiece): string =>
  `${job}/${attempt}/${String(start).padStart(15, '0')}-${length}-${digest.slice(0, 16)}.gz`;

export const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export const packPiece = (bytes: Buffer): Promise<Buffer> => deflate(bytes, LEVEL);

/** A small one is not worth the trip through the thread pool. */
export const unpackChunk = async (chunk: { readonly length: number; readonly data: Buffer }): Promise<Buffer> =>
  chunk.length <= SMALL_BYTES ? gunzipSync(chunk.data) : inflate(chunk.data);

/** Reads pieces, a bounded number at once: what they take of memory does not depend on who reads. */
export class PieceReader {
  readonly #bucket: Bucket | undefined;
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  constructor(bucket: Bucket | undefined) {
    this.#bucket = bucket;
  }

  /** @throws PieceGone where the storage does not have it, or where there is no storage (any more) */
  async read(piece: LogPiece): Promise<Buffer> {
    const bucket = this.#bucket;
    if (bucket === undefined) throw new PieceGone('this platform has no object storage');
    if (this.#reading >= READ_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#reading += 1;
    try {
      const packed = await bucket.get(keyOf(piece), OBJECT_BYTES + FRAME_BYTES);
      if (packed === undefined) throw new PieceGone(`the object storage does not have ${keyOf(piece)}`);
      const bytes = await inflate(packed, { maxOutputLength: OBJECT_BYTES });
      if (bytes.length === piece.length) return bytes;
      throw new PieceGone(`${keyOf(piece)} has ${bytes.length} bytes`);
    } finally {
      // Whoever waits takes this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#reading -= 1;
      else next();
    }
  }
}

/** A row of the union of log_chunks and log_objects, as a reader of logs takes it. */
export interface PieceRow {
  readonly start: number;
  readonly length: number;
  readonly lost: boolean;
  readonly missing: number | null;
  readonly data: Buffer | null;
  readonly digest: string | null;
}

export function archivedChunk(
  row: PieceRow,
  of: Pick<LogPiece, 'job' | 'attempt'>,
  reader: PieceReader,
): ArchivedChunk {
  const { start, length, lost, missing, data, digest } = row;
  return {
    start,
    length,
    lost,
    missing,
    bytes: () =>
      data === null ? reader.read({ ...of, start, length, digest: digest ?? '' }) : unpackChunk({ length, data }),
  };
}
