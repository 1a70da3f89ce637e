import { sql } from 'kysely';
import type { Database } from '../db/database.ts';
import type { Tx } from '../db/schema.ts';
import type { LogPolicy } from './log-store.ts';
import { trimLog } from './log-trim.ts';
import { projectShare } from './project-share.ts';

/** Any constant that nothing else in this database locks. */
const LOCK = 0x6c6f6773;
/** Logs that are removed in one transaction. */
const BATCH = 50;
/** So many bytes taken out are made room for others at once, and not at the next round. */
const VACUUM_BYTES = 32 * 2 ** 20;
const VACUUM_MS = 10 * 60_000;
/** So long the logs of a project stay that was taken out of delos.yaml: it may have been a slip. */
const RETIRED_DAYS = 1;
/** A project that is over its limit leaves this to each log. */
const SMALLEST_LIMIT = 2 ** 20;

interface Project {
  readonly org: string;
  readonly project: string;
}

/** Removes logs that are over their time, and what projects hold over their limits and over that of all; gives room back for new ones. */
export class LogHousekeeper {
  readonly #database: Database;
  readonly #policy: LogPolicy;
  #dropped = 0;
  #vacuuming: Promise<void> | undefined;

  constructor(database: Database, policy: LogPolicy) {
    this.#database = database;
    this.#policy = policy;
  }

  /** So much was taken out of a log; waits where that has become much, since what was taken out still takes disk. */
  async trimmed(bytes: number): Promise<void> {
    this.#dropped += bytes;
    // Where it fails autovacuum comes to it later.
    if (this.#dropped >= VACUUM_BYTES) await this.#vacuum().catch(() => undefined);
  }

  /** One process at once; the others leave it to that one. */
  async keep(): Promise<void> {
    while ((await this.#locked((tx) => this.#removeOld(tx))) > 0);
    while ((await this.#locked((tx) => this.#removeRetired(tx))) > 0);
    const projects = (await this.#projects()).map((each) => ({ ...each, most: this.#mostOf(each) }));
    const share = projectShare(
      projects.map(({ size, most }) => Math.min(size, most)),
      { projectLimit: Number.MAX_SAFE_INTEGER, totalLimit: this.#policy.totalLimit },
    );
    for (const project of projects) {
      const limit = Math.min(project.most, share);
      if (project.size <= limit) continue;
      while ((await this.#locked((tx) => this.#removeForRoom(tx, project, limit))) > 0);
      await this.#locked((tx) => this.#lowerLimits(tx, project, limit));
    }
    if (this.#dropped > 0) await this.#vacuum();
  }

  async #locked(work: (tx: Tx) => Promise<number>): Promise<number> {
    return this.#database.tx(async (tx) => {
      const { rows } = await sql<{ mine: boolean }>`select pg_try_advisory_xact_lock(${LOCK}) as mine`.execute(tx);
      return rows[0]?.mine === true ? work(tx) : 0;
    });
  }

  #mostOf({ org, project }: Project): number {
    const own = this.#policy.projects?.find((each) => each.org === org && each.project === project)?.limit;
    return own ?? this.#policy.projectLimit;
  }

  async #removeOld(tx: Tx): Promise<number> {
    const own = (this.#policy.projects ?? []).filter(({ keepDays }) => keepDays !== undefined);
    const { rows } = await sql<{ id: string }>`
      select id from (
        select id, finished_at, coalesce(own.days, ${this.#policy.keepDays}::int) as days
        from jobs join log_usage on job = id left join unnest(
          ${own.map(({ org }) => org)}::text[], ${own.map(({ project }) => project)}::text[],
          ${own.map(({ keepDays }) => keepDays)}::int[]
        ) as own (org, project, days) on own.org = jobs.org and own.project = jobs.project
        where phase = 'gone' and not logs_removed
      ) as kept where days > 0 and finished_at < now() - make_interval(days => days)
      limit ${BATCH}`.execute(tx);
    return this.#remove(
      tx,
      rows.map(({ id }) => id),
    );
  }

  /** Of projects that delos.yaml does not have any more. */
  async #removeRetired(tx: Tx): Promise<number> {
    const { rows } = await sql<{ id: string }>`
      select id from jobs join log_usage on job = id join projects p on p.org = jobs.org and p.name = jobs.project
      where phase = 'gone' and not logs_removed and p.retired_at < now() - make_interval(days => ${RETIRED_DAYS}::int)
      limit ${BATCH}`.execute(tx);
    return this.#remove(
      tx,
      rows.map(({ id }) => id),
    );
  }

  /** Those that hold logs, with the bytes that these are charged. */
  async #projects(): Promise<readonly (Project & { readonly size: number })[]> {
    const { rows } = await sql<Project & { size: number }>`
      select org, project, sum(head + tail)::bigint as size from log_usage join jobs on id = job
      group by org, project having sum(head + tail) > 0`.execute(this.#database.db);
    return rows;
  }

  /** Of the jobs that have ended, those first that ended first, until the project is within the limit. */
  async #removeForRoom(tx: Tx, { org, project }: Project, limit: number): Promise<number> {
    const { rows } = await sql<{ id: string }>`
      with logs as (
        select id, phase, finished_at, head + tail as size from jobs join log_usage on job = id
        where org = ${org} and project = ${project} and not logs_removed
      ), ranked as (
        select id, sum(size) over (order by finished_at, id) - size as before,
          (select sum(size) from logs) - ${limit}::bigint as excess
        from logs where phase = 'gone' and size > 0
      )
      select id from ranked where before < excess order by before limit ${BATCH}`.execute(tx);
    return this.#remove(
      tx,
      rows.map(({ id }) => id),
    );
  }

  /** What still runs has to make do with its part of the limit. */
  async #lowerLimits(tx: Tx, { org, project }: Project, limit: number): Promise<number> {
    const { rows } = await sql<{ id: string; size: number }>`
      select id, head + tail as size from jobs join log_usage on job = id
      where org = ${org} and project = ${project} and head + tail > 0`.execute(tx);
    if (rows.reduce((sum, { size }) => sum + size, 0) <= limit) return 0;
    const cap = Math.max(SMALLEST_LIMIT, Math.floor(limit / rows.length));
    const large = rows.filter(({ size }) => size > cap).map(({ id }) => id);
    await sql`update log_usage set cap = ${cap} where job = any (${large}::text[])`.execute(tx);
    for (const id of large) this.#dropped += await trimLog(tx, id, cap);
    return large.length;
  }

  /** All chunks; what is said of them stays, so that nobody sends them again and readers are told. */
  async #remove(tx: Tx, jobs: readonly string[]): Promise<number> {
    if (jobs.length === 0) return 0;
    // Locked in the order of LogMover and of trimLog.
    await sql`select from log_usage where job = any (${jobs}::text[]) order by job for update`.execute(tx);
    await sql`update log_objects set state = 'removing', changed_at = now()
      where job = any (${jobs}::text[]) and state <> 'removing'`.execute(tx);
    const { rows } = await sql<{ bytes: number }>`
      with gone as (delete from log_chunks where job = any (${jobs}::text[]) returning length)
      select coalesce(sum(length), 0)::bigint as bytes from gone`.execute(tx);
    await sql`update log_usage set head = 0, tail = 0 where job = any (${jobs}::text[])`.execute(tx);
    await sql`update jobs set logs_removed = true where id = any (${jobs}::text[])`.execute(tx);
    this.#dropped += rows[0]?.bytes ?? 0;
    return jobs.length;
  }

  /** Makes what was deleted room for what comes: left alone PostgreSQL does so a minute later or more. */
  #vacuum(): Promise<void> {
    this.#vacuuming ??= this.#vacuumNow().finally(() => {
      this.#vacuuming = undefined;
    });
    return this.#vacuuming;
  }

  async #vacuumNow(): Promise<void> {
    const dropped = this.#dropped;
    await this.#database.alone('vacuum (skip_locked) log_chunks', VACUUM_MS);
    this.#dropped = Math.max(0, this.#dropped - dropped);
  }
}
