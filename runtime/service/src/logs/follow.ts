import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type JobStatus, TERMINAL } from '@delos/core';
import { sql } from 'kysely';
import type { Db, JobPhase } from '../db/schema.ts';
import { offsetSince, readChunks } from './archive.ts';
import { LogRenderer, type RenderOptions } from './renderer.ts';
import type { LogTails } from './tails.ts';

export interface FollowOptions extends RenderOptions {
  /** A line put once between what was archived when reading began and what came later, if there is both. */
  readonly separator?: string;
  readonly signal: AbortSignal;
}

/** Chunks of at most 1 MiB each, compressed: what one query may hold in memory. */
const CHUNKS_A_QUERY = 4;
/** A notification may be lost. */
const SWEEP_MS = 2_000;
const NEWLINE = 0x0a;
const inflate = promisify(gunzip);

/**
 * A job's log as its container wrote it: all attempts in order, from the beginning (or `since`), followed until the
 * log is sealed. Reads on only when asked to, so that a slow reader costs no memory.
 */
export async function* followLog(
  source: { readonly db: Db; readonly tails: LogTails },
  jobId: string,
  options: FollowOptions,
): AsyncGenerator<Buffer, void, void> {
  const { db, tails } = source;
  const { since, signal } = options;
  const alarm = new Alarm();
  const unfollow = tails.follow(jobId, () => alarm.ring());
  const onAbort = (): void => alarm.ring();
  signal.addEventListener('abort', onAbort, { once: true });
  const separated = new Separated(options.separator);
  try {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const renderer = new LogRenderer(options);
      let offset = since === undefined ? 0 : await offsetSince(db, { jobId, attempt, since });
      for (let settled = false; !signal.aborted; ) {
        const piece = tails.tryPiece(jobId, attempt, offset);
        if (piece !== undefined) {
          offset += piece.length;
          yield* separated.pass(renderer.push(piece));
          continue;
        }
        const chunks = await readChunks(db, { jobId, attempt, offset }, CHUNKS_A_QUERY);
        for (const chunk of chunks) {
          yield* separated.pass(renderer.push(await inflate(chunk.data)));
          offset = chunk.start + chunk.length;
        }
        if (chunks.length > 0) continue;
        // "Nothing more" counts only if it was said before a read that found nothing.
        if (settled) break;
        const state = await stateOf(db, jobId, attempt);
        settled = state.over || state.final;
        if (settled) continue;
        separated.live();
        await alarm.wait(SWEEP_MS);
      }
      yield* separated.pass(renderer.end());
      for (let state = await stateOf(db, jobId, attempt); attempt >= state.last; ) {
        if (state.over || signal.aborted) return;
        await alarm.wait(SWEEP_MS);
        state = await stateOf(db, jobId, attempt);
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unfollow();
  }
}

interface LogState {
  /** Nothing more comes of any attempt. */
  readonly over: boolean;
  /** Nothing more comes of this one. */
  readonly final: boolean;
  /** The last attempt that has a log. */
  readonly last: number;
}

async function stateOf(db: Db, jobId: string, attempt: number): Promise<LogState> {
  const { rows } = await sql<{
    phase: JobPhase;
    status: JobStatus;
    past: boolean;
    final: boolean | null;
    last: number | null;
  }>`
    select phase, status, ${attempt} < first_attempt as past,
      (select final from log_streams where job = ${jobId} and attempt = ${attempt}) as final,
      (select max(attempt) from log_streams where job = ${jobId}) as last
    from jobs where id = ${jobId}`.execute(db);
  const row = rows[0];
  // One that gives way to others has its log sealed as well, and runs again.
  const over = row === undefined || ((row.phase === 'archived' || row.phase === 'gone') && TERMINAL.has(row.status));
  return { over, final: row?.past === true || row?.final === true, last: row?.last ?? 0 };
}

/** Puts the separator where replay ends, before the first live bytes. */
class Separated {
  readonly #text: string | undefined;
  #replayed = false;
  #live = false;
  #done = false;
  #lineOpen = false;

  constructor(text: string | undefined) {
    this.#text = text;
  }

  /** From here on bytes are live. */
  live(): void {
    this.#live = true;
  }

  *pass(bytes: Buffer): Generator<Buffer, void, void> {
    const last = bytes.at(-1);
    if (last === undefined) return;
    if (this.#live && this.#replayed && !this.#done && this.#text !== undefined) {
      yield Buffer.from(`${this.#lineOpen ? '\n' : ''}${this.#text}\n`);
    }
    if (this.#live) this.#done = true;
    else this.#replayed = true;
    this.#lineOpen = last !== NEWLINE;
    yield bytes;
  }
}

/** A bell that may be rung before anybody waits for it. */
class Alarm {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Until it is rung, or the time is over. */
  async wait(limitMs: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limitMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#rung = false;
  }
}
