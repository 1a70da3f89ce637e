import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Database } from '../db/database.ts';
import { every } from '../edge/guard.ts';
import { PostgresLogStore } from './archive.ts';
import { LogMover } from './log-mover.ts';
import type { LogPolicy, LogStore } from './log-store.ts';
import { LogSweep } from './log-sweep.ts';
import { type BucketSettings, ObjectBucket } from './object-bucket.ts';

export interface LogArchiveProps {
  readonly database: Database;
  readonly policy: LogPolicy;
  /** Bytes that may wait in PostgreSQL while the object storage takes nothing. */
  readonly bufferLimit: number;
  /** @default logs stay in PostgreSQL */
  readonly bucket?: BucketSettings | undefined;
  readonly log: Logger;
  readonly metrics: Registry;
}

export interface LogArchive {
  readonly store: LogStore;
  readonly close: () => Promise<void>;
}

/** Old logs are looked for this often. */
const HOUSE_MS = 60_000;
const MOVE_MS = 2_000;
/** After a round that failed. */
const RETRY_MS = 5_000;
const LOOK_MS = 5_000;
/** A piece that was begun so long ago is one that the storage does not take. */
const STUCK_SECONDS = 60;
/** An object that no log has goes after a day, as one does that was taken out of a log: a backup may know it. */
const SWEPT_SECONDS = 86_400;

/** The archive of a process of the control API: the store, and what looks after it at intervals. */
export async function openLogArchive(props: LogArchiveProps): Promise<LogArchive> {
  const { database, policy, log } = props;
  const bucket = props.bucket === undefined ? undefined : await ObjectBucket.open(props.bucket);
  const buffer = new LogBuffer(database, props.bufferLimit);
  const store = new PostgresLogStore(database, policy, {
    ...(bucket === undefined ? {} : { bucket, isFull: () => buffer.isFull }),
  });
  const ends = [every(HOUSE_MS, log, 'removing old logs', () => store.keepHouse())];
  let endRounds = async (): Promise<void> => undefined;
  if (bucket !== undefined) {
    const counted = archiveMetrics(props.metrics, buffer);
    const sweep = new LogSweep({ bucket, log, keepSeconds: SWEPT_SECONDS, onSwept: counted.swept });
    const mover = new LogMover({ database, bucket, log, onMoved: counted.moved, sweep });
    ends.push(every(LOOK_MS, log, 'looking how many logs wait', () => buffer.look()));
    endRounds = rounds(mover, log, counted.failed);
  }
  return {
    store,
    close: async () => {
      for (const end of ends) end();
      await endRounds();
      bucket?.close();
    },
  };
}

/** Moves logs as long as there are any to move, and looks again after a while. @returns a function that ends it */
function rounds(mover: LogMover, log: Logger, failed: () => void): () => Promise<void> {
  const stop = new AbortController();
  const running = (async () => {
    while (!stop.signal.aborted) {
      let wait = MOVE_MS;
      try {
        if ((await mover.round()) > 0) wait = 0;
      } catch (error) {
        failed();
        log.warn({ error }, 'logs could not be brought to the object storage; trying again');
        wait = RETRY_MS;
      }
      await pause(wait, stop.signal);
    }
  })();
  return async () => {
    stop.abort();
    await running;
  };
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });

/** What of logs is in PostgreSQL and not in the object storage yet. */
export class LogBuffer {
  readonly #database: Database;
  readonly #limit: number;
  /** Bytes, before compression. */
  bytes = 0;
  /** Since when the storage does not take a piece; 0: it does. */
  stuckSeconds = 0;

  /** @param limit bytes */
  constructor(database: Database, limit: number) {
    this.#database = database;
    this.#limit = limit;
  }

  /** Whether new bytes are refused. As long as what waits gets less, they are taken, even beyond the limit. */
  get isFull(): boolean {
    return this.stuckSeconds > STUCK_SECONDS && this.bytes >= this.#limit;
  }

  async look(): Promise<void> {
    const { rows } = await sql<{ bytes: number; stuck: number }>`
      select
        (select coalesce(sum(waiting_bytes), 0)::bigint from log_streams where waiting_since is not null) as bytes,
        (select coalesce(max(extract(epoch from now() - changed_at)), 0)::float8 from log_objects
          where state = 'writing') as stuck`.execute(this.#database.db);
    this.bytes = rows[0]?.bytes ?? 0;
    this.stuckSeconds = rows[0]?.stuck ?? 0;
  }
}

function archiveMetrics(
  registry: Registry,
  buffer: LogBuffer,
): {
  readonly moved: (bytes: number) => void;
  readonly failed: () => void;
  readonly swept: (objects: number) => void;
} {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  gauge(
    'delos_logs_waiting_bytes',
    'Bytes of logs in PostgreSQL that are not in the object storage yet',
    () => buffer.bytes,
  );
  gauge(
    'delos_logs_stuck_seconds',
    'For how long the object storage has not taken a piece of a log',
    () => buffer.stuckSeconds,
  );
  gauge('delos_logs_refused', '1 while logs wait on their nodes: PostgreSQL holds as many as it may', () =>
    Number(buffer.isFull),
  );
  const moved = new Counter({
    name: 'delos_logs_moved_bytes_total',
    help: 'Bytes of logs brought to the object storage, before compression',
    registers,
  });
  const failed = new Counter({
    name: 'delos_logs_move_failures_total',
    help: 'Rounds of bringing logs to the object storage that failed',
    registers,
  });
  const swept = new Counter({
    name: 'delos_logs_swept_objects_total',
    help: 'Objects that belonged to no log, and were removed from the object storage',
    registers,
  });
  return { moved: (bytes) => moved.inc(bytes), failed: () => failed.inc(), swept: (objects) => swept.inc(objects) };
}
