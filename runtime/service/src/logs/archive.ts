import { DelosError, type JobPhase, type JobStatus, TERMINAL } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { sealLogs } from '../db/jobs-state.ts';
import { LOG_APPENDED } from '../db/notifications.ts';
import type { Db, Tx } from '../db/schema.ts';
import { LogHousekeeper } from './housekeeper.ts';
import { archivedChunk, OBJECT_BYTES, PieceReader, type PieceRow } from './log-object.ts';
import {
  type AppendedBytes,
  type AppendOutcome,
  type ArchivedChunk,
  type Attempt,
  CHUNK_COST,
  type LogKey,
  type LogPolicy,
  type LogProgress,
  type LogStore,
  type Place,
  rateOf,
} from './log-store.ts';
import { trimLog } from './log-trim.ts';
import type { Bucket } from './object-bucket.ts';

/** Clocks of node and database may differ by this. */
const SLACK_MS = 60_000;

interface Appended {
  readonly attempt: number;
  readonly over: boolean;
  readonly cut: boolean;
  readonly cap: number;
}

/**
 * Logs in PostgreSQL: chunks are rows. Where there is an object storage, LogMover brings them there, and this reads them
 * from wherever they are.
 */
export class PostgresLogStore implements LogStore {
  readonly #database: Database;
  readonly #policy: LogPolicy;
  readonly #housekeeper: LogHousekeeper;
  readonly #pieces: PieceReader;
  readonly #isFull: () => boolean;

  constructor(
    database: Database,
    policy: LogPolicy,
    { bucket, isFull = () => false }: { readonly bucket?: Bucket; readonly isFull?: () => boolean } = {},
  ) {
    this.#database = database;
    this.#policy = policy;
    this.#housekeeper = new LogHousekeeper(database, policy);
    this.#pieces = new PieceReader(bucket);
    this.#isFull = isFull;
  }

  position(key: LogKey): Promise<Place | undefined> {
    return this.#positionIn(this.#database.db, key);
  }

  async append(key: LogKey, bytes: AppendedBytes): Promise<AppendOutcome> {
    if (this.#isFull()) {
      throw new DelosError('ERR_BUSY', 'logs.bufferLimit is reached, and the object storage takes none', {
        hint: 'collectors try again; their nodes keep what they can meanwhile',
      });
    }
    const { db } = this.#database;
    let appended = await this.#tryAppend(key, bytes);
    let place = appended === undefined ? await this.#findPosition(db, key) : undefined;
    if (appended === undefined && place === undefined && (await this.#begin(db, key))) {
      appended = await this.#tryAppend(key, bytes);
      place = appended === undefined ? await this.#findPosition(db, key) : undefined;
    }
    if (appended === undefined) {
      return place === undefined ? undefined : { accepted: false, position: place, attempt: place.attempt };
    }
    const { attempt, over, cut, cap } = appended;
    if (over) await this.#housekeeper.trimmed(await this.#database.tx((tx) => trimLog(tx, key.jobId, cap)));
    const length = bytes.offset + (bytes.skipped ?? 0) + bytes.length;
    const rate = cut || over ? rateOf(cap) : null;
    return { accepted: true, position: { length, final: false, cursor: bytes.cursor, rate }, attempt };
  }

  async finish(
    key: LogKey,
    end: { readonly offset: number; readonly complete: boolean; readonly missing?: number },
  ): Promise<AppendOutcome> {
    return this.#database.tx(async (tx) => {
      const position = await this.#positionIn(tx, key);
      if (position === undefined) return undefined;
      const { attempt } = position;
      if (!position.final && position.length !== end.offset) return { accepted: false, position, attempt };
      if (!position.final) {
        await tx
          .updateTable('log_streams')
          .set({
            final: true,
            complete: sql<boolean>`complete and ${end.complete}::boolean`,
            missing: end.missing ?? 0,
          })
          .where('job', '=', key.jobId)
          .where('attempt', '=', attempt)
          .execute();
      }
      await sealWhenFinal(tx, key.jobId);
      return { accepted: true, position: { ...position, final: true }, attempt };
    });
  }

  async chunks(of: Attempt & { readonly offset: number }, limit: number): Promise<readonly ArchivedChunk[]> {
    // One statement: a chunk that moves meanwhile is seen once.
    const { rows } = await sql<PieceRow>`
      select start, length, lost, missing, data, null as digest from log_chunks
      where job = ${of.jobId} and attempt = ${of.attempt} and start >= ${of.offset}
      union all
      select start, length, lost, missing, null, digest from log_objects
      where job = ${of.jobId} and attempt = ${of.attempt} and state = 'there'
        and start > ${of.offset - OBJECT_BYTES} and start + length > ${of.offset}
      order by start limit ${limit}`.execute(this.#database.db);
    return rows.map((row) => archivedChunk(row, { job: of.jobId, attempt: of.attempt }, this.#pieces));
  }

  async offsetSince(of: Attempt & { readonly since: Date }): Promise<number> {
    const before = new Date(of.since.getTime() - SLACK_MS);
    const { rows } = await sql<{ end: number | null }>`
      select max(start + length) as "end" from (
        select start, length from log_chunks
        where job = ${of.jobId} and attempt = ${of.attempt} and at < ${before}
        union all
        select start, length from log_objects
        where job = ${of.jobId} and attempt = ${of.attempt} and at < ${before} and state = 'there'
      ) as older`.execute(this.#database.db);
    return rows[0]?.end ?? 0;
  }

  async progress({ jobId, attempt }: Attempt): Promise<LogProgress> {
    const { rows } = await sql<{
      phase: JobPhase;
      status: JobStatus;
      past: boolean;
      removed: boolean;
      final: boolean | null;
      complete: boolean | null;
      length: number | null;
      missing: number | null;
      last: number | null;
    }>`
      select phase, status, ${attempt} < first_attempt as past, logs_removed as removed, s.final, s.complete, s.length,
        s.missing,
        (select max(attempt) from log_streams where job = ${jobId}) as last
      from jobs left join log_streams s on s.job = jobs.id and s.attempt = ${attempt}
      where id = ${jobId}`.execute(this.#database.db);
    const row = rows[0];
    // A preempted one has its log sealed as well, and runs again.
    const over = row === undefined || ((row.phase === 'archived' || row.phase === 'gone') && TERMINAL.has(row.status));
    return {
      over,
      final: row?.past === true || row?.final === true,
      length: row?.length ?? 0,
      complete: row?.complete ?? true,
      missing: row?.missing ?? 0,
      last: row?.last ?? 0,
      removed: row?.removed ?? false,
    };
  }

  keepHouse(): Promise<void> {
    return this.#housekeeper.keep();
  }

  async #positionIn(db: Db | Tx, key: LogKey): Promise<Place | undefined> {
    return (
      (await this.#findPosition(db, key)) ??
      ((await this.#begin(db, key)) ? await this.#findPosition(db, key) : undefined)
    );
  }

  async #findPosition(db: Db | Tx, key: LogKey): Promise<Place | undefined> {
    const row = await db
      .selectFrom('log_streams')
      .innerJoin('jobs', 'jobs.id', 'log_streams.job')
      .leftJoin('log_usage', 'log_usage.job', 'log_streams.job')
      .select(['length', 'final', 'cursor', 'attempt', 'log_limit', 'cap', 'cut'])
      .where('log_streams.job', '=', key.jobId)
      .where('log_streams.pod_uid', '=', key.podUid)
      .where('pod_attempt', '=', key.attempt)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const { length, final, cursor, attempt } = row;
    const limit = row.cap ?? row.log_limit ?? this.#policy.jobLimit;
    return { length, final, cursor, attempt, rate: row.cut === true ? rateOf(limit) : null };
  }

  /** A run whose Pod has not been reported yet takes the collector's word for its uid, but for that of an earlier run. */
  async #begin(db: Db | Tx, key: LogKey): Promise<boolean> {
    const result = await sql`
      with begun as (
        insert into log_streams (job, attempt, pod_uid, pod_attempt)
        select id, first_attempt + ${key.attempt}::int, ${key.podUid}, ${key.attempt}::int from jobs
        where id = ${key.jobId} and phase not in ('queued', 'gone') and coalesce(pod_uid, ${key.podUid}) = ${key.podUid}
          and ${key.podUid} <> all (past_pods)
        on conflict (job, attempt) do nothing
        returning job
      ), used as (insert into log_usage (job) select job from begun on conflict do nothing)
      select job from begun`.execute(db);
    return result.rows.length > 0 || (await this.#findPosition(db, key)) !== undefined;
  }

  /** @returns undefined where the bytes were not taken */
  async #tryAppend(key: LogKey, bytes: AppendedBytes): Promise<Appended | undefined> {
    // One statement, one round trip: this is on the path from a container's write to its reader.
    const payload = JSON.stringify({ job: key.jobId });
    const cost = bytes.length + CHUNK_COST;
    const skipped = bytes.skipped ?? 0;
    const full = sql`(u.head_full or u.head + ${cost}::bigint > (select cap from limits) / 2)`;
    const result = await sql<Appended>`
      with grown as (
        update log_streams
        set length = length + ${skipped}::bigint + ${bytes.length}::int, cursor = ${bytes.cursor},
          complete = complete and not ${bytes.lost ?? false}::boolean,
          waiting_bytes = waiting_bytes + ${bytes.length}::int, waiting_since = coalesce(waiting_since, now())
        where job = ${key.jobId} and pod_uid = ${key.podUid} and pod_attempt = ${key.attempt}
          and length = ${bytes.offset} and not final
        returning attempt
      ), limits as (
        select coalesce(u.cap, j.log_limit, ${this.#policy.jobLimit}::bigint) as cap
        from jobs j left join log_usage u on u.job = j.id where j.id = ${key.jobId}
      ), used as (
        insert into log_usage as u (job, head, tail, head_full)
        select ${key.jobId}, case when ${cost}::bigint > cap / 2 then 0 else ${cost}::bigint end,
          case when ${cost}::bigint > cap / 2 then ${cost}::bigint else 0 end, ${cost}::bigint > cap / 2
        from grown, limits
        on conflict (job) do update set
          head = u.head + case when ${full} then 0 else ${cost}::bigint end,
          tail = u.tail + case when ${full} then ${cost}::bigint else 0 end,
          head_full = ${full}
        returning u.head_full, u.head, u.tail, u.cut
      ), kept as (
        insert into log_chunks (job, attempt, start, length, data, tail, lost, missing)
        select ${key.jobId}, grown.attempt, ${bytes.offset}::bigint + ${skipped}::bigint, ${bytes.length}::int,
          ${bytes.gzip}::bytea, used.head_full, ${bytes.lost ?? false}::boolean, ${bytes.missing ?? null}::bigint
        from grown, used
      )
      select grown.attempt, used.head + used.tail > limits.cap as over, used.cut, limits.cap,
        pg_notify(${LOG_APPENDED}, ${payload})
      from grown, used, limits`.execute(this.#database.db);
    return result.rows[0];
  }
}

async function sealWhenFinal(tx: Tx, jobId: string): Promise<void> {
  // Locked first: two attempts that end at once must not both find the other open.
  const job = await tx
    .selectFrom('jobs')
    .select(['phase', 'restarts', 'first_attempt'])
    .where('id', '=', jobId)
    .forUpdate()
    .executeTakeFirst();
  if (job?.phase !== 'ended') return;
  const streams = await tx
    .selectFrom('log_streams')
    .select(['complete'])
    .where('job', '=', jobId)
    .where('attempt', '>=', job.first_attempt)
    .where('attempt', '<=', job.restarts)
    .where('final', '=', true)
    .execute();
  if (streams.length === job.restarts - job.first_attempt + 1) {
    await sealLogs(
      tx,
      jobId,
      streams.every(({ complete }) => complete),
    );
  }
}
