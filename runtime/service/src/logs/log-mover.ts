import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import type { Db, LogObjectTable } from '../db/schema.ts';
import { digestOf, keyOf, type LogPiece, OBJECT_BYTES, packPiece, unpackChunk } from './log-object.ts';
import { CHUNK_COST } from './log-store.ts';
import type { LogSweep } from './log-sweep.ts';
import type { Bucket } from './object-bucket.ts';

export interface LogMoverProps {
  readonly database: Database;
  readonly bucket: Bucket;
  readonly log: Logger;
  /** Told of each piece that has left PostgreSQL, with its bytes before compression. */
  readonly onMoved?: (bytes: number) => void;
  /** Bytes that are moved as one, where so many are there. @default 2 MiB */
  readonly pieceBytes?: number;
  /** A log that still grows leaves PostgreSQL after this, however little it is. @default one hour */
  readonly waitSeconds?: number;
  /** An object that nobody reads any more goes after this: a backup may know it. @default one day */
  readonly keepSeconds?: number;
  /** Looks for objects that no log has. @default nothing does */
  readonly sweep?: LogSweep;
}

/** Any constant that nothing else in this database locks. */
const LOCK = 0x6c6f6d76;
/** In one round; then others have their turn. */
const MOST_MOVES = 64;
/** Chunks of one object. */
const MOST_CHUNKS = 1_024;

interface WaitingStream {
  readonly job: string;
  readonly attempt: number;
  /** Also what is less than one piece. */
  readonly whole: boolean;
}

interface WaitingChunk {
  readonly start: number;
  readonly length: number;
  readonly tail: boolean;
  readonly lost: boolean;
  readonly missing: number | null;
  readonly at: Date;
}

type ObjectRow = Omit<LogObjectTable, 'changed_at' | 'state'>;

/**
 * Brings logs from PostgreSQL to object storage, also those of before there was one. Each piece: a row says that it is being
 * written; the object is written; one transaction says that it is there and deletes the chunks. Killed in between, the
 * next round goes on from the row: a piece's name follows from its bytes, which never change, so nothing is there twice.
 */
export class LogMover {
  readonly #props: Required<Omit<LogMoverProps, 'onMoved' | 'sweep'>> & Pick<LogMoverProps, 'onMoved' | 'sweep'>;

  constructor(props: LogMoverProps) {
    this.#props = { pieceBytes: 2 * 2 ** 20, waitSeconds: 3_600, keepSeconds: 86_400, ...props };
  }

  /**
   * One round, in one process at once: the others leave it to that one.
   * @returns pieces that were moved or removed; more than none: there may be more to do
   * @throws Error where storage or database do not take something; all that was done before stays done
   */
  async round(): Promise<number> {
    return this.#props.database.db.connection().execute(async (connection) => {
      // Lost with the connection, and so is the ability to write.
      const { rows } = await sql<{ mine: boolean }>`select pg_try_advisory_lock(${LOCK}) as mine`.execute(connection);
      if (rows[0]?.mine !== true) return 0;
      try {
        return await this.#round(connection);
      } finally {
        await sql`select pg_advisory_unlock(${LOCK})`.execute(connection);
      }
    });
  }

  async #round(db: Db): Promise<number> {
    let moved = 0;
    const begun = await db
      .selectFrom('log_objects')
      .selectAll()
      .where('state', '=', 'writing')
      .orderBy('changed_at')
      .limit(MOST_MOVES)
      .execute();
    for (const row of begun) {
      const bytes = await bytesInChunks(db, row);
      if (bytes !== undefined && digestOf(bytes) === row.digest) await this.#move(db, row, bytes);
      else await setState(db, row, 'removing');
      moved += 1;
    }
    for (const stream of await this.#waiting(db)) {
      if (moved >= MOST_MOVES) break;
      moved += await this.#moveStream(db, stream, MOST_MOVES - moved);
    }
    moved += await this.#removeObjects(db);
    return moved + ((await this.#props.sweep?.page(db)) ?? 0);
  }

  async #waiting(db: Db): Promise<readonly WaitingStream[]> {
    const { pieceBytes, waitSeconds } = this.#props;
    const { rows } = await sql<WaitingStream>`
      select * from (
        select job, attempt, waiting_since, waiting_bytes,
          final or waiting_since < now() - make_interval(secs => ${waitSeconds}) as whole
        from log_streams where waiting_since is not null
      ) as streams where whole or waiting_bytes >= ${pieceBytes}
      order by waiting_since limit ${MOST_MOVES}`.execute(db);
    return rows;
  }

  async #moveStream(db: Db, { job, attempt, whole }: WaitingStream, most: number): Promise<number> {
    const chunks = await db
      .selectFrom('log_chunks')
      .select(['start', 'length', 'tail', 'lost', 'missing', 'at'])
      .where('job', '=', job)
      .where('attempt', '=', attempt)
      .orderBy('start')
      .limit(MOST_CHUNKS)
      .execute();
    if (chunks.length === 0) {
      // Taken out by limits: what the stream says of them is put right.
      await this.#noneWaiting(db, job, attempt);
      return 0;
    }
    let moved = 0;
    for (const piece of piecesOf(chunks, this.#props.pieceBytes, whole || chunks.length === MOST_CHUNKS)) {
      if (moved >= most) break;
      const { bytes, ...row } = await pieceRow(db, { job, attempt }, piece);
      if (bytes === undefined) break;
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('log_objects')
        .values({ ...row, state: 'writing' })
        .onConflict((on) => on.doNothing())
        .executeTakeFirst();
      // Such an object is still to be removed: later.
      if (numInsertedOrUpdatedRows === 0n) break;
      await this.#move(db, row, bytes);
      moved += 1;
    }
    return moved;
  }

  /** From `writing` to `there`, or to `removing` where its log was cut meanwhile. */
  async #move(db: Db, row: ObjectRow, bytes: Buffer): Promise<void> {
    await this.#props.bucket.put(keyOf(row), await packPiece(bytes));
    if (await settle(db, row)) this.#props.onMoved?.(row.length);
    else await setState(db, row, 'removing');
  }

  async #noneWaiting(db: Db, job: string, attempt: number): Promise<void> {
    await db.transaction().execute(async (tx) => {
      await sql`select from log_streams where job = ${job} and attempt = ${attempt} for update`.execute(tx);
      await sql`update log_streams set waiting_bytes = 0, waiting_since = null
        where job = ${job} and attempt = ${attempt}
          and not exists (select from log_chunks where job = ${job} and attempt = ${attempt})`.execute(tx);
    });
  }

  async #removeObjects(db: Db): Promise<number> {
    const { rows } = await sql<LogPiece>`
      select job, attempt, start, length, digest from log_objects
      where state = 'removing' and changed_at < now() - make_interval(secs => ${this.#props.keepSeconds})
      order by changed_at limit ${MOST_MOVES}`.execute(db);
    for (const piece of rows) {
      await this.#props.bucket.remove(keyOf(piece));
      const { job, attempt, start, length } = piece;
      await sql`delete from log_objects where job = ${job} and attempt = ${attempt} and start = ${start}
        and length = ${length} and state = 'removing'`.execute(db);
    }
    return rows.length;
  }
}

/** Chunks that follow each other without a gap and are of one half of the log; the last piece only where `whole`. */
function* piecesOf(
  chunks: readonly WaitingChunk[],
  pieceBytes: number,
  whole: boolean,
): Generator<readonly WaitingChunk[], void, void> {
  let piece: WaitingChunk[] = [];
  let size = 0;
  for (const chunk of chunks) {
    const last = piece.at(-1);
    const fits =
      last === undefined ||
      (last.start + last.length === chunk.start &&
        last.tail === chunk.tail &&
        !chunk.lost &&
        size + chunk.length <= OBJECT_BYTES &&
        size < pieceBytes);
    if (!fits) {
      yield piece;
      piece = [];
      size = 0;
    }
    piece.push(chunk);
    size += chunk.length;
  }
  if (piece.length > 0 && (whole || size >= pieceBytes)) yield piece;
}

async function pieceRow(
  db: Db,
  of: { readonly job: string; readonly attempt: number },
  chunks: readonly WaitingChunk[],
): Promise<ObjectRow & { readonly bytes: Buffer | undefined }> {
  const start = chunks[0]?.start ?? 0;
  const last = chunks.at(-1);
  const length = (last?.start ?? 0) + (last?.length ?? 0) - start;
  const bytes = await bytesInChunks(db, { ...of, start, length });
  return {
    ...of,
    start,
    length,
    tail: last?.tail ?? false,
    lost: chunks[0]?.lost ?? false,
    missing: chunks[0]?.missing ?? null,
    at: last?.at ?? new Date(0),
    digest: bytes === undefined ? '' : digestOf(bytes),
    bytes,
  };
}

/** Undefined where they are not there as a whole. */
async function bytesInChunks(db: Db, piece: Omit<LogPiece, 'digest'>): Promise<Buffer | undefined> {
  const rows = await db
    .selectFrom('log_chunks')
    .select(['length', 'data'])
    .where('job', '=', piece.job)
    .where('attempt', '=', piece.attempt)
    .where('start', '>=', piece.start)
    .where('start', '<', piece.start + piece.length)
    .orderBy('start')
    .execute();
  const parts: Buffer[] = [];
  for (const row of rows) parts.push(await unpackChunk(row));
  const bytes = Buffer.concat(parts);
  return bytes.length === piece.length ? bytes : undefined;
}

/** @returns false where its log was cut or removed meanwhile; nothing is changed then */
async function settle(db: Db, { job, attempt, start, length, tail }: ObjectRow): Promise<boolean> {
  return db
    .transaction()
    .execute(async (tx) => {
      // In the order in which an append takes them, so that none of these commits meanwhile.
      await sql`select from log_streams where job = ${job} and attempt = ${attempt} for update`.execute(tx);
      await sql`select from log_usage where job = ${job} for update`.execute(tx);
      const { rows } = await sql<{ count: number; bytes: number }>`
        with gone as (
          delete from log_chunks where job = ${job} and attempt = ${attempt}
            and start >= ${start} and start < ${start + length} returning length
        )
        select count(*) as count, coalesce(sum(length), 0)::bigint as bytes from gone`.execute(tx);
      const { numUpdatedRows } = await tx
        .updateTable('log_objects')
        .set({ state: 'there', changed_at: sql<Date>`now()` })
        .where('job', '=', job)
        .where('attempt', '=', attempt)
        .where('start', '=', start)
        .where('length', '=', length)
        .where('state', '=', 'writing')
        .executeTakeFirst();
      if (rows[0]?.bytes !== length || numUpdatedRows !== 1n) throw new Cut();
      // One piece is charged as one chunk.
      const saved = (rows[0].count - 1) * CHUNK_COST;
      await sql`update log_usage set head = head - ${tail ? 0 : saved}::bigint, tail = tail - ${tail ? saved : 0}::bigint
        where job = ${job}`.execute(tx);
      await sql`update log_streams set waiting_bytes = greatest(0, waiting_bytes - ${length}::int), waiting_since = (
          select at from log_chunks where job = ${job} and attempt = ${attempt} order by start limit 1
        ) where job = ${job} and attempt = ${attempt}`.execute(tx);
      return true;
    })
    .catch((error: unknown) => {
      if (error instanceof Cut) return false;
      throw error;
    });
}

class Cut extends Error {}

async function setState(db: Db, { job, attempt, start, length }: ObjectRow, state: 'removing'): Promise<void> {
  await db
    .updateTable('log_objects')
    .set({ state, changed_at: sql<Date>`now()` })
    .where('job', '=', job)
    .where('attempt', '=', attempt)
    .where('start', '=', start)
    .where('length', '=', length)
    .execute();
}
