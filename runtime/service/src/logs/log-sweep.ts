import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Db } from '../db/schema.ts';
import type { Bucket, ListedObject } from './object-bucket.ts';

export interface LogSweepProps {
  readonly bucket: Bucket;
  readonly log: Logger;
  /** An object that the index does not know goes after this. */
  readonly keepSeconds: number;
  /** From the end of one sweep to the next one; half an hour after the start the first begins. @default one day */
  readonly everyMs?: number;
  /** Objects that are looked at in one round. @default 1000 */
  readonly pageObjects?: number;
  /** Told how many objects were removed. */
  readonly onSwept?: (objects: number) => void;
}

/** Says whose bucket it is. */
const OWNER = 'platform';
const OWNER_BYTES = 1_024;
const DAY_MS = 86_400_000;
const FIRST_MS = 30 * 60_000;
const PAGE = 1_000;
/** Of one page; then others have their turn. */
const MOST_REMOVED = 100;
/** What this platform writes, and nothing else is touched: `keyOf`. */
const KEY = /^(job-[0-9a-f-]{36})\/(\d{1,9})\/(\d{15})-(\d{1,9})-([0-9a-f]{16})\.gz$/;

/**
 * Removes pieces of logs that the database does not know: a restore brings back an index that is older than the bucket. To be
 * called by whoever alone may write objects, since a piece that is unknown now may be written the next moment.
 */
export class LogSweep {
  readonly #props: Required<Omit<LogSweepProps, 'onSwept'>> & Pick<LogSweepProps, 'onSwept'>;
  #next: number;
  /** Where the next page begins. */
  #token: string | undefined;

  constructor(props: LogSweepProps) {
    this.#props = { everyMs: DAY_MS, pageObjects: PAGE, ...props };
    this.#next = Date.now() + Math.min(FIRST_MS, this.#props.everyMs);
  }

  /** One page, where it is time for one. @returns objects that were removed; one that fails is told, and begins anew later */
  async page(db: Db): Promise<number> {
    if (Date.now() < this.#next) return 0;
    try {
      return await this.#page(db);
    } catch (error) {
      this.#props.log.warn({ error }, 'objects without a log could not be looked for');
      this.#end();
      return 0;
    }
  }

  async #page(db: Db): Promise<number> {
    const { bucket, log, keepSeconds, pageObjects } = this.#props;
    if (this.#token === undefined && !(await this.#isOurs(db))) {
      log.error('the bucket of logs is marked as that of another platform: objects without a log are left there');
      this.#end();
      return 0;
    }
    const { objects, next } = await bucket.list(this.#token, pageObjects);
    const before = Date.now() - keepSeconds * 1_000;
    const unknown = await unknownOf(
      db,
      objects.filter(({ changedAt }) => changedAt < before),
    );
    const removed = unknown.slice(0, MOST_REMOVED);
    for (const key of removed) await bucket.remove(key);
    if (removed.length > 0) {
      this.#props.onSwept?.(removed.length);
      log.info({ objects: removed.length, first: removed[0] }, 'objects that belong to no log were removed');
    }
    // Where more are left, the same page is looked at again.
    if (unknown.length > removed.length) return removed.length;
    this.#token = next;
    if (next === undefined) this.#end();
    return removed.length;
  }

  #end(): void {
    this.#token = undefined;
    this.#next = Date.now() + this.#props.everyMs;
  }

  /** Marks a bucket that has no mark yet: two platforms with one bucket would else remove each other's logs. */
  async #isOurs(db: Db): Promise<boolean> {
    const { rows } = await sql<{ id: string }>`
      select system_identifier::text || ' ' || current_database() as id from pg_control_system()`.execute(db);
    const id = rows[0]?.id ?? '';
    const mark = await this.#props.bucket.get(OWNER, OWNER_BYTES);
    if (mark === undefined) await this.#props.bucket.put(OWNER, Buffer.from(id));
    return mark === undefined || mark.toString('utf8') === id;
  }
}

/** Those of the objects whose names are ours, and that no row has. */
async function unknownOf(db: Db, objects: readonly ListedObject[]): Promise<readonly string[]> {
  const pieces = objects.flatMap(({ key }) => {
    const [, job = '', attempt, start, length, digest = ''] = KEY.exec(key) ?? [];
    return job === ''
      ? []
      : [{ key, job, attempt: Number(attempt), start: Number(start), length: Number(length), digest }];
  });
  const { rows } = await sql<{ key: string }>`
    select key from unnest(
      ${pieces.map(({ key }) => key)}::text[], ${pieces.map(({ job }) => job)}::text[],
      ${pieces.map(({ attempt }) => attempt)}::int[], ${pieces.map(({ start }) => start)}::bigint[],
      ${pieces.map(({ length }) => length)}::int[], ${pieces.map(({ digest }) => digest)}::text[]
    ) as listed (key, job, attempt, start, length, digest)
    where not exists (
      select from log_objects o where o.job = listed.job and o.attempt = listed.attempt and o.start = listed.start
        and o.length = listed.length and left(o.digest, 16) = listed.digest
    )`.execute(db);
  return rows.map(({ key }) => key);
}
