import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogPosition } from '@delos/core';
import type { Logger } from 'pino';
import { detach } from '../edge/guard.ts';
import { Allowance, SAVING_MS, WORTH_BYTES } from './allowance.ts';
import { AttemptReader } from './attempt-reader.ts';
import { FileLedger } from './file-ledger.ts';
import type { Gate } from './gate.ts';
import { forbiddenText, isFolder, isForbidden, lastAttempt, type PodFolder } from './log-files.ts';
import { readNewest } from './newest.ts';
import { type Packed, packBytes, type Uploader } from './uploader.ts';

export interface JobLogProps {
  readonly pod: PodFolder;
  /** The Pod's folder, NAMESPACE_NAME_UID. */
  readonly path: string;
  readonly uploader: Uploader;
  /** Bounds what all logs of the node hold in memory. */
  readonly gate: Gate;
  /** Whether nothing is to be carried now: the disk is short. @default never */
  readonly isHeld?: () => boolean;
  readonly log: Logger;
}

const PIECE_BYTES = 1024 * 1024;
const PIECES_A_TURN = 16;
/** Nothing was written for so long after the end: the runtime has written all that it had. */
const QUIET_MS = 300;
const RETRY_MS = [100, 250, 500, 1_000, 2_000, 5_000];
/** A Pod that the control plane does not know may be asked about again. */
const UNKNOWN_MS = 30_000;
/** How often it is looked whether logs are still held. */
const HELD_MS = 2_000;

type Step = 'again' | 'idle' | 'done';

/**
 * Carries one job's log to the control plane: all attempts in their order, each from where the archive stands. What it
 * knows it can learn again, from the archive and the files.
 */
export class JobLog {
  readonly #props: JobLogProps;
  #attempt = 0;
  #reader: AttemptReader | undefined;
  #position: LogPosition | undefined;
  /** Asked to be sealed after this attempt. */
  #seal: number | undefined;
  /** Its writer is gone: an unfinished line is all of it. */
  #flush = false;
  #running = false;
  #woken = false;
  #closed = false;
  #unknownUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #allowance = new Allowance();
  /** Of the attempt that is carried; kept while nothing can be. */
  #files: FileLedger;

  constructor(props: JobLogProps) {
    this.#props = props;
    this.#files = new FileLedger(this.folder, 0);
  }

  /** Everything is archived and sealed. */
  get done(): boolean {
    return this.#closed;
  }

  /** A file that may not be read, in words; undefined where there is none. */
  problem: string | undefined;

  get folder(): string {
    return join(this.#props.path, 'main');
  }

  /** The container of that attempt has ended for good: read to the end, then seal. */
  seal(attempts: number): void {
    this.#seal = attempts;
    // What was final may be asked for again, its answer having been lost.
    if (this.#closed) {
      this.#closed = false;
      this.#attempt = attempts;
      this.#files = new FileLedger(this.folder, attempts);
      this.#position = undefined;
    }
    this.wake();
  }

  /** Something may have been written. */
  wake(): void {
    this.#woken = true;
    if (this.#running || this.#closed) return;
    this.#running = true;
    detach(this.#props.log, 'carrying a log', () => this.#run());
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#reader?.close();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (this.#woken && !this.#closed) {
      this.#woken = false;
      try {
        for (let step: Step = 'again'; step === 'again' && !this.#closed; ) {
          step = await this.#step();
          if (step === 'done') await this.close();
          failures = 0;
          this.problem = undefined;
        }
      } catch (error) {
        const { log, pod } = this.#props;
        const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 5_000;
        failures += 1;
        if (isForbidden(error)) {
          this.problem = forbiddenText(error, this.folder);
        }
        log.warn({ error, jobId: pod.jobId, failures }, 'log could not be carried on; trying again');
        // Where the archive stands now is asked again: an answer may have been lost.
        this.#position = undefined;
        // What its node deletes meanwhile is counted.
        await this.#files.look();
        await sleep(wait / 2 + (Math.random() * wait) / 2);
        this.#woken = true;
      }
    }
    this.#running = false;
  }

  async #step(): Promise<Step> {
    if (Date.now() < this.#unknownUntil) return 'idle';
    if (this.#props.isHeld?.() === true) {
      await this.#files.look();
      this.#later(HELD_MS);
      return 'idle';
    }
    // An attempt that has not begun is not asked about: asking opens its archive.
    const wanted = this.#attempt === 0 || (this.#seal ?? 0) >= this.#attempt;
    if (!wanted && (await lastAttempt(this.folder)) < this.#attempt) return 'idle';
    const position = this.#position ?? (await this.#findPosition());
    if (position === undefined) return 'idle';
    if (position.final) return this.#nextAttempt();
    const reader = this.#reader ?? (await this.#begin(position));
    return (await this.#carry(reader)) ? 'again' : this.#atEnd(reader);
  }

  async #findPosition(): Promise<LogPosition | undefined> {
    const answer = await this.#props.uploader.position({ ...this.#props.pod, attempt: this.#attempt });
    await this.#reader?.close();
    this.#reader = undefined;
    if (answer === 'unknown') {
      this.#unknownUntil = Date.now() + UNKNOWN_MS;
      this.#later(UNKNOWN_MS);
      return undefined;
    }
    this.#position = answer.position;
    return answer.position;
  }

  async #begin(position: LogPosition): Promise<AttemptReader> {
    this.#reader = new AttemptReader(this.folder, this.#attempt, this.#files);
    await this.#reader.seek(position.length === 0 ? null : position.cursor);
    return this.#reader;
  }

  /**
   * Carries what is there; while one piece travels the next is read and packed. After a while others get their turn.
   * @returns whether there was any
   */
  async #carry(reader: AttemptReader): Promise<boolean> {
    return this.#props.gate.pass(async () => {
      const rate = this.#position?.rate ?? null;
      if (rate !== null) return this.#carryNewest(reader, rate);
      let next = await this.#take(reader);
      if (next === undefined) return false;
      for (let turn = 1; next !== undefined && !this.#closed; turn += 1) {
        const ahead: Promise<Packed | undefined> =
          turn < PIECES_A_TURN ? this.#take(reader) : Promise.resolve(undefined);
        const [sent, following]: [PromiseSettledResult<boolean>, PromiseSettledResult<Packed | undefined>] =
          await Promise.allSettled([this.#append(next), ahead]);
        if (sent.status === 'rejected') throw sent.reason;
        if (following.status === 'rejected') throw following.reason;
        // Refused: the archive stands elsewhere, and reading begins there.
        if (!sent.value) return true;
        next = following.value;
      }
      return true;
    });
  }

  /** Of a log over its limit the newest alone, and no more than is allowed. */
  async #carryNewest(reader: AttemptReader, rate: number): Promise<boolean> {
    this.#allowance.setRate(rate);
    const last = await this.#hasEnded();
    const keep = this.#allowance.available(last);
    if (!last && keep < WORTH_BYTES) {
      this.#later(SAVING_MS);
      return false;
    }
    const newest = await readNewest(reader, keep, this.#flush);
    for (const [index, { bytes, cursor, lost }] of newest?.pieces.entries() ?? []) {
      const packed = await packBytes(bytes, cursor);
      const missing = index === 0 ? { skipped: newest?.skipped ?? 0, lost: newest?.lost ?? false } : { lost };
      this.#allowance.take(bytes.length);
      if (!(await this.#append({ ...packed, ...missing }))) return true;
    }
    return newest !== undefined;
  }

  async #hasEnded(): Promise<boolean> {
    return (
      (await lastAttempt(this.folder)) > this.#attempt || (this.#seal !== undefined && this.#seal >= this.#attempt)
    );
  }

  async #take(reader: AttemptReader): Promise<Packed | undefined> {
    const piece = await reader.read(PIECE_BYTES, this.#flush);
    if (piece === undefined) return undefined;
    const { bytes, cursor, ...gap } = piece;
    return { ...(await packBytes(bytes, cursor)), ...gap };
  }

  async #append(packed: Packed): Promise<boolean> {
    const { uploader, pod } = this.#props;
    const offset = this.#position?.length ?? 0;
    const answer = await uploader.append({ ...pod, attempt: this.#attempt }, offset, packed);
    if (answer === 'unknown') {
      this.#unknownUntil = Date.now() + UNKNOWN_MS;
      this.#later(UNKNOWN_MS);
      this.#position = undefined;
      return false;
    }
    // An append whose answer was lost shows as done.
    const done =
      answer.accepted ||
      (answer.position.length === offset + (packed.skipped ?? 0) + packed.length &&
        answer.position.cursor === packed.cursor);
    this.#position = done ? answer.position : undefined;
    return done;
  }

  /** Nothing more to read now. */
  async #atEnd(reader: AttemptReader): Promise<Step> {
    if (!(await this.#hasEnded())) {
      if (reader.settlesIn !== undefined) this.#later(reader.settlesIn);
      return 'idle';
    }
    const quiet = reader.grewAt + QUIET_MS - Date.now();
    // Also a file that has been superseded is first read into its successor.
    const wait = Math.max(quiet, reader.settlesIn ?? 0);
    if (wait > 0 && (reader.started || (await isFolder(this.folder)))) {
      this.#later(wait);
      return 'idle';
    }
    if (reader.unfinished && !this.#flush) {
      this.#flush = true;
      return 'again';
    }
    const { uploader, pod } = this.#props;
    const position = this.#position;
    if (position === undefined) return 'again';
    const complete = reader.complete && (await this.#wasThere(reader, position));
    const key = { ...pod, attempt: this.#attempt };
    const answer = await uploader.finish(key, position.length, { complete, missing: reader.untold ?? 0 });
    if (answer === 'unknown') return 'done';
    if (!answer.accepted) {
      this.#position = undefined;
      return 'again';
    }
    return this.#nextAttempt();
  }

  /** Without a file: was there none to begin with, or was it deleted before it was read? */
  async #wasThere(reader: AttemptReader, position: LogPosition): Promise<boolean> {
    if (reader.started) return true;
    if (position.length > 0) return false;
    // A container that never started has no log; a restarted one had.
    return (await isFolder(this.#props.path)) && this.#attempt === this.#seal;
  }

  async #nextAttempt(): Promise<Step> {
    await this.#reader?.close();
    this.#reader = undefined;
    this.#position = undefined;
    this.#flush = false;
    if (this.#seal !== undefined && this.#attempt >= this.#seal) return 'done';
    this.#attempt += 1;
    this.#files = new FileLedger(this.folder, this.#attempt);
    return 'again';
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), ms);
  }
}
