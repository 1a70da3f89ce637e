import type { LogPosition } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import { sealLogs } from '../db/jobs-state.ts';
import { LOG_APPENDED } from '../db/notifications.ts';
import type { Db, Tx } from '../db/schema.ts';

/** The log of one container attempt of a job's Pod. */
export interface LogKey {
  readonly jobId: string;
  readonly podUid: string;
  /** Among those of its Pod; the archive numbers them over all Pods of a job. */
  readonly attempt: number;
}

export interface AppendedBytes {
  /** Where the bytes begin within the attempt. */
  readonly offset: number;
  /** Uncompressed bytes. */
  readonly length: number;
  /** One gzip member. */
  readonly gzip: Buffer;
  readonly cursor: string | null;
}

/** Undefined: no such job, or its Pod is another one. */
export type AppendOutcome =
  | { readonly accepted: boolean; readonly position: LogPosition; readonly attempt: number }
  | undefined;

/** `attempt`: the archive's number. */
type Place = LogPosition & { readonly attempt: number };

/** Where the archive of an attempt stands; begins it where there is none. */
export async function logPositionOf(db: Db | Tx, key: LogKey): Promise<Place | undefined> {
  return (await findPosition(db, key)) ?? ((await beginStream(db, key)) ? await findPosition(db, key) : undefined);
}

async function findPosition(db: Db | Tx, key: LogKey): Promise<Place | undefined> {
  return db
    .selectFrom('log_streams')
    .select(['length', 'final', 'cursor', 'attempt'])
    .where('job', '=', key.jobId)
    .where('pod_uid', '=', key.podUid)
    .where('pod_attempt', '=', key.attempt)
    .executeTakeFirst();
}

/** A run whose Pod has not been reported yet takes the collector's word for its uid, but for that of an earlier run. */
async function beginStream(db: Db | Tx, key: LogKey): Promise<boolean> {
  const result = await sql`
    insert into log_streams (job, attempt, pod_uid, pod_attempt)
    select id, first_attempt + ${key.attempt}::int, ${key.podUid}, ${key.attempt}::int from jobs
    where id = ${key.jobId} and phase not in ('queued', 'gone') and coalesce(pod_uid, ${key.podUid}) = ${key.podUid}
      and ${key.podUid} <> all (past_pods)
    on conflict (job, attempt) do nothing`.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n || (await findPosition(db, key)) !== undefined;
}

/**
 * Appends bytes at their offset. Bytes that are there already, or that would leave a gap, are refused with the
 * position to go on from: the same append may come twice and from two senders.
 */
export async function appendLog(database: Database, key: LogKey, bytes: AppendedBytes): Promise<AppendOutcome> {
  /** @returns the archive's number of the attempt, where the bytes were taken */
  const append = async (): Promise<number | undefined> => {
    // One statement, one round trip: this is on the path from a container's write to its reader.
    const payload = JSON.stringify({ job: key.jobId });
    const result = await sql<{ attempt: number }>`
      with grown as (
        update log_streams set length = length + ${bytes.length}::int, cursor = ${bytes.cursor}
        where job = ${key.jobId} and pod_uid = ${key.podUid} and pod_attempt = ${key.attempt}
          and length = ${bytes.offset} and not final
        returning attempt
      ), kept as (
        insert into log_chunks (job, attempt, start, length, data)
        select ${key.jobId}, grown.attempt, ${bytes.offset}::bigint, ${bytes.length}::int, ${bytes.gzip}::bytea
        from grown
      )
      select grown.attempt, pg_notify(${LOG_APPENDED}, ${payload}) from grown`.execute(database.db);
    return result.rows[0]?.attempt;
  };
  let attempt = await append();
  let position = attempt === undefined ? await findPosition(database.db, key) : undefined;
  if (attempt === undefined && position === undefined && (await beginStream(database.db, key))) {
    attempt = await append();
    position = attempt === undefined ? await findPosition(database.db, key) : undefined;
  }
  if (attempt !== undefined) {
    const end = { length: bytes.offset + bytes.length, final: false, cursor: bytes.cursor };
    return { accepted: true, position: end, attempt };
  }
  return position === undefined ? undefined : { accepted: false, position, attempt: position.attempt };
}

/**
 * Ends an attempt's log at `offset`. With the last one of a run that has ended, the job's log is sealed.
 * `complete` is false where bytes are known to be missing.
 */
export async function finishLog(
  database: Database,
  key: LogKey,
  end: { readonly offset: number; readonly complete: boolean },
): Promise<AppendOutcome> {
  return database.tx(async (tx) => {
    const position = await logPositionOf(tx, key);
    if (position === undefined) return undefined;
    const { attempt } = position;
    if (!position.final && position.length !== end.offset) return { accepted: false, position, attempt };
    if (!position.final) {
      await tx
        .updateTable('log_streams')
        .set({ final: true, complete: sql<boolean>`complete and ${end.complete}::boolean` })
        .where('job', '=', key.jobId)
        .where('attempt', '=', attempt)
        .execute();
    }
    await sealWhenFinal(tx, key.jobId);
    return { accepted: true, position: { ...position, final: true }, attempt };
  });
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

export interface ArchivedChunk {
  readonly start: number;
  readonly length: number;
  readonly data: Buffer;
}

/** The next chunks of an attempt from `offset` (a chunk's start) on, at most `limit`. */
export async function readChunks(
  db: Db,
  of: { readonly jobId: string; readonly attempt: number; readonly offset: number },
  limit: number,
): Promise<readonly ArchivedChunk[]> {
  return db
    .selectFrom('log_chunks')
    .select(['start', 'length', 'data'])
    .where('job', '=', of.jobId)
    .where('attempt', '=', of.attempt)
    .where('start', '>=', of.offset)
    .orderBy('start')
    .limit(limit)
    .execute();
}

/** Start of the first chunk that may hold lines written since; clocks of node and database may differ by `slackMs`. */
export async function offsetSince(
  db: Db,
  of: { readonly jobId: string; readonly attempt: number; readonly since: Date },
  slackMs = 60_000,
): Promise<number> {
  const row = await db
    .selectFrom('log_chunks')
    .select((eb) => eb.fn.max(eb('start', '+', eb.ref('length'))).as('end'))
    .where('job', '=', of.jobId)
    .where('attempt', '=', of.attempt)
    .where('at', '<', new Date(of.since.getTime() - slackMs))
    .executeTakeFirst();
  return Number(row?.end ?? 0);
}
