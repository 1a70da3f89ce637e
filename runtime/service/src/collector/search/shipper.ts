import { setTimeout as sleep } from 'node:timers/promises';
import type { JobFacts } from '@delos/core';
import type { Logger } from 'pino';
import { AttemptReader } from '../attempt-reader.ts';
import { isFolder, lastAttempt } from '../log-files.ts';
import { containersIn, type SearchedContainer } from './containers.ts';
import { LineReader } from './lines.ts';
import { nanosecondsOf } from './senders.ts';
import type { LogSink, SearchLine } from './sink.ts';

export interface ShipperProps {
  readonly root: string;
  readonly node: string;
  readonly sink: LogSink;
  /** Undefined: nobody knows that job (yet). */
  readonly factsOf: (jobId: string) => Promise<JobFacts | undefined>;
  readonly log: Logger;
}

const PIECE_BYTES = 256 * 1024;
/** Text of one request: with the one that is being read, all that is in memory. */
const BATCH_BYTES = 512 * 1024;
const BATCH_LINES = 5_000;
/** Between two looks. */
const LOOK_MS = 1_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** A job that nobody knows is asked about again. */
const UNKNOWN_MS = 30_000;

const MISSING = '[delos] Lines may be missing here: the node deleted them before they were read.';

interface Followed extends SearchedContainer {
  attempt: number;
  reader: AttemptReader | undefined;
  lines: LineReader;
  since: string | undefined;
  askAt: number;
}

/**
 * Brings the lines of a node's containers to one store, from wherever that stands. Nothing of it is needed to read a job's
 * log: where the store is away, lines wait in the kubelet's files, as long as it keeps them.
 */
export class Shipper {
  readonly #props: ShipperProps;
  readonly #followed = new Map<string, Followed>();
  #batch: SearchLine[] = [];
  #bytes = 0;
  /** Milliseconds: since when the store takes nothing; 0: it does. */
  #failingSince = 0;
  sent = 0;
  #ending = new AbortController().signal;

  constructor(props: ShipperProps) {
    this.#props = props;
  }

  /** For how long the store has taken nothing. */
  get failingSeconds(): number {
    return this.#failingSince === 0 ? 0 : (Date.now() - this.#failingSince) / 1_000;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, sink } = this.#props;
    this.#ending = signal;
    for (let failures = 0; !signal.aborted; ) {
      let wait = LOOK_MS;
      try {
        await this.#round(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? LOOK_MS;
        if (failures === 0)
          log.warn({ error, sink: sink.name }, 'lines could not be brought to where logs are searched');
        failures += 1;
        if (this.#failingSince === 0) this.#failingSince = Date.now();
      }
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
    for (const { reader } of this.#followed.values()) await reader?.close();
  }

  async #round(signal: AbortSignal): Promise<void> {
    // What could not be sent goes before anything else is read.
    await this.#flush();
    const { root, node } = this.#props;
    const there = await containersIn(root, node);
    for (const container of there) {
      if (!this.#followed.has(container.folder)) {
        const lines = new LineReader(container.labels);
        this.#followed.set(container.folder, {
          ...container,
          attempt: 0,
          reader: undefined,
          lines,
          since: undefined,
          askAt: 0,
        });
      }
    }
    const folders = new Set(there.map(({ folder }) => folder));
    for (const [folder, followed] of this.#followed) {
      if (signal.aborted) return;
      if (folders.has(folder)) await this.#carry(followed);
      else {
        await followed.reader?.close();
        this.#followed.delete(folder);
      }
    }
    await this.#flush();
    this.#failingSince = 0;
  }

  async #carry(followed: Followed): Promise<void> {
    if (followed.reader === undefined && !(await this.#begin(followed))) return;
    for (;;) {
      const { reader } = followed;
      if (reader === undefined) return;
      const piece = await reader.read(PIECE_BYTES);
      if (piece === undefined) {
        if ((await lastAttempt(followed.folder)) <= followed.attempt || reader.settlesIn !== undefined) return;
        const rest = await reader.read(PIECE_BYTES, true);
        if (rest !== undefined) await this.#take(followed, Buffer.concat([rest.bytes, Buffer.from('\n')]));
        await reader.close();
        followed.attempt += 1;
        followed.reader = new AttemptReader(followed.folder, followed.attempt);
        continue;
      }
      if (piece.lost) await this.#missing(followed, piece.bytes);
      await this.#take(followed, piece.bytes);
    }
  }

  /** @returns false where there is nothing to read, or it is not known yet whose it is */
  async #begin(followed: Followed): Promise<boolean> {
    const { sink, factsOf } = this.#props;
    if (followed.askAt > Date.now() || !(await isFolder(followed.folder))) return false;
    const { jobId } = followed;
    let { labels } = followed;
    if (jobId !== undefined) {
      // Without the control API jobs wait, and nothing else does.
      const facts = await factsOf(jobId).catch(() => undefined);
      if (facts === undefined) {
        followed.askAt = Date.now() + UNKNOWN_MS;
        return false;
      }
      labels = { ...labels, job: jobId, ...facts };
    }
    followed.since = await sink.newest?.(labels);
    followed.lines = new LineReader(labels);
    followed.reader = new AttemptReader(followed.folder, followed.attempt);
    return true;
  }

  async #missing(followed: Followed, before: Buffer): Promise<void> {
    const space = before.indexOf(0x20);
    const time = before.toString('latin1', 0, Math.max(0, space));
    await this.#take(followed, Buffer.from(`${time} stderr F ${MISSING}\n`));
  }

  async #take({ lines, since }: Followed, bytes: Buffer): Promise<void> {
    for (const line of lines.push(bytes)) {
      if (since !== undefined && !isLater(line.time, since)) continue;
      this.#batch.push(line);
      this.#bytes += line.text.length + 300;
      // Where it fails, what follows in these bytes must not be lost: the batch is held until it is taken.
      if (this.#bytes >= BATCH_BYTES || this.#batch.length >= BATCH_LINES) await this.#flushAtLast();
    }
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    await this.#props.sink.send(this.#batch);
    this.sent += this.#batch.length;
    this.#batch = [];
    this.#bytes = 0;
    this.#failingSince = 0;
  }

  async #flushAtLast(): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      try {
        await this.#flush();
        return;
      } catch (error) {
        if (failures === 0)
          this.#props.log.warn({ error, sink: this.#props.sink.name }, 'lines are held: their store takes none');
        if (this.#failingSince === 0) this.#failingSince = Date.now();
        // The process may end here: a new one begins from what the store has.
        await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)], undefined, { signal: this.#ending });
      }
    }
  }
}

const isLater = (a: string, b: string): boolean => BigInt(nanosecondsOf(a)) > BigInt(nanosecondsOf(b));
