import { sql } from 'kysely';
import type { Tx } from '../db/schema.ts';
import { CHUNK_COST } from './log-store.ts';

/** So much of what the beginning leaves is left of the end: not each append shall have to look for what is to go. */
const TAIL_LEFT = 0.75;

/**
 * Takes out of a log what is over its limit: the newest of its first half, where a limit was lowered, and the oldest of
 * what follows. Safe to repeat.
 * @returns bytes that it took out, as they are charged
 */
export async function trimLog(tx: Tx, jobId: string, cap: number): Promise<number> {
  const half = Math.floor(cap / 2);
  const usage = await tx.selectFrom('log_usage').selectAll().where('job', '=', jobId).forUpdate().executeTakeFirst();
  if (usage === undefined) return 0;
  const head = usage.head > half ? await drop(tx, jobId, false, half) : 0;
  const room = cap - (usage.head - head);
  const tail = usage.tail > room ? await drop(tx, jobId, true, Math.floor(room * TAIL_LEFT)) : 0;
  if (head + tail === 0) return 0;
  await tx
    .updateTable('log_usage')
    .set({ head: usage.head - head, tail: usage.tail - tail, cut: true, ...(head > 0 ? { head_full: true } : {}) })
    .where('job', '=', jobId)
    .execute();
  return head + tail;
}

/** Keeps the oldest chunks of the beginning, or the newest of the end, wherever they are. */
async function drop(tx: Tx, jobId: string, tail: boolean, keep: number): Promise<number> {
  const order = tail ? sql`desc` : sql`asc`;
  const { rows } = await sql<{ dropped: number }>`
    with ranked as (
      select attempt, start, length, moved,
        sum(length + ${CHUNK_COST}::int) over (order by attempt ${order}, start ${order}) as upto
      from (
        select attempt, start, length, false as moved from log_chunks where job = ${jobId} and tail = ${tail}
        union all
        select attempt, start, length, true from log_objects
        where job = ${jobId} and tail = ${tail} and state = 'there'
      ) as pieces
    ), gone as (
      delete from log_chunks c using ranked r
      where c.job = ${jobId} and c.attempt = r.attempt and c.start = r.start and not r.moved and r.upto > ${keep}
      returning c.length
    ), left_to_go as (
      update log_objects o set state = 'removing', changed_at = now() from ranked r
      where o.job = ${jobId} and o.attempt = r.attempt and o.start = r.start and o.length = r.length and r.moved
        and r.upto > ${keep} and o.state = 'there'
      returning o.length
    )
    select coalesce(sum(length + ${CHUNK_COST}::int), 0)::bigint as dropped
    from (select length from gone union all select length from left_to_go) as dropped`.execute(tx);
  return rows[0]?.dropped ?? 0;
}
