import { setTimeout as sleep } from 'node:timers/promises';
import type { JobFacts } from '@delos/core';
import type { Logger } from 'pino';
import { isFolder } from '../log-files.ts';
import { ContainerReader, missingText } from './container-reader.ts';
import { containersIn } from './containers.ts';
import { Delivery, type DeliveryCounts } from './delivery.ts';
import type { LogSink, SearchLine } from './sink.ts';

export interface ShipperProps {
  readonly root: string;
  readonly node: string;
  readonly sink: LogSink;
  /** Undefined: nobody knows that job (yet). */
  readonly factsOf: (jobId: string) => Promise<JobFacts | undefined>;
  readonly log: Logger;
  readonly counts: ShipperCounts;
}

/** What is counted of a node's lines for one store. */
export interface ShipperCounts extends DeliveryCounts {
  /** Bytes that their node deleted before they were read, as far as that is known. */
  lost(bytes: number): void;
}

/** Text of one request: with the one that is being read, and the window of what was sent, all that is in memory. */
const BATCH_BYTES = 512 * 1024;
const BATCH_LINES = 5_000;
/** What a line has beside its text. */
const LINE_BYTES = 300;
/** Between two looks. */
const LOOK_MS = 1_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000];
/** A job that nobody knows is asked about again. */
const UNKNOWN_MS = 30_000;
/** For so long it is waited for whose the lines of a job are whose Pod is gone. */
const GONE_MS = 15 * 60_000;
/** Containers whose folders are gone, and whose last file is held open. */
const MOST_GONE = 1_000;

/**
 * Brings the lines of a node's containers to one store, from wherever that stands. Nothing of it is needed to read a job's
 * log: where the store is away, lines wait in the kubelet's files as long as it keeps them, and those of Pods that are gone
 * in the file that was written last.
 */
export class Shipper {
  readonly #props: ShipperProps;
  readonly #delivery: Delivery;
  readonly #readers = new Map<string, ContainerReader>();
  #batch: SearchLine[] = [];
  #bytes = 0;
  /** Lines of our own about what is missing. */
  readonly #notices: SearchLine[] = [];
  /** Some of the batch may be in the store. */
  #known = false;
  /** Milliseconds: since when the store takes nothing; 0: it does. */
  #failingSince = 0;
  #isFirst = true;
  #ending = new AbortController().signal;

  constructor(props: ShipperProps) {
    this.#props = props;
    const { counts, log, sink } = props;
    this.#delivery = new Delivery(sink, {
      ...counts,
      refused: (refusal) => {
        counts.refused(refusal);
        log.warn({ sink: sink.name, ...refusal }, 'lines are refused for good: they cannot be searched');
      },
    });
  }

  /** For how long the store has taken nothing. */
  get failingSeconds(): number {
    return this.#failingSince === 0 ? 0 : (Date.now() - this.#failingSince) / 1_000;
  }

  /** Bytes of lines that were sent, and are held until the store must have them on its disk; compressed. */
  get heldBytes(): number {
    return this.#delivery.heldBytes;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, sink } = this.#props;
    this.#ending = signal;
    while (!signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (!signal.aborted) log.error({ error, sink: sink.name }, 'lines could not be read; trying again');
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
    for (const reader of this.#readers.values()) await reader.close();
  }

  async #round(): Promise<void> {
    await this.#discover();
    // Also where nothing is written: the store may have lost what it took.
    await this.#insist(() => this.#delivery.look());
    for (const reader of this.#readers.values()) {
      if (this.#ending.aborted) return;
      await this.#carry(reader);
    }
    for (const line of this.#notices.splice(0)) await this.#take(line, false);
    await this.#flush();
  }

  async #discover(): Promise<void> {
    const { root, node, counts } = this.#props;
    const there = await containersIn(root, node);
    const folders = new Set(there.map(({ folder }) => folder));
    for (const container of there) {
      if (!this.#readers.has(container.folder)) {
        this.#readers.set(container.folder, new ContainerReader(container, this.#isFirst, counts.lost));
      }
    }
    this.#isFirst = false;
    for (const [folder, reader] of this.#readers) {
      reader.goneAt = folders.has(folder) ? undefined : (reader.goneAt ?? Date.now());
    }
    const gone = [...this.#readers.values()].filter(({ goneAt }) => goneAt !== undefined);
    for (const reader of gone.slice(0, Math.max(0, gone.length - MOST_GONE))) await this.#drop(reader);
  }

  async #carry(reader: ContainerReader): Promise<void> {
    if (!(await this.#isReady(reader))) {
      if (reader.goneAt !== undefined && Date.now() - reader.goneAt > GONE_MS) await this.#drop(reader);
      // Its node may delete it before it is known whose it is.
      else await reader.hold();
      return;
    }
    for await (const [line, known] of reader.read()) await this.#take(line, known);
    if (reader.goneAt !== undefined) await this.#drop(reader);
  }

  /** @returns false where it is not known yet whose its lines are */
  async #isReady(reader: ContainerReader): Promise<boolean> {
    if (reader.labels !== undefined) return true;
    const { container } = reader;
    if (reader.askAt > Date.now()) return false;
    if (reader.goneAt === undefined && !(await isFolder(container.folder))) return false;
    let { labels } = container;
    if (container.jobId !== undefined) {
      // Without the control API jobs wait, and nothing else does.
      const facts = await this.#props.factsOf(container.jobId).catch(() => undefined);
      if (facts === undefined) {
        reader.askAt = Date.now() + UNKNOWN_MS;
        return false;
      }
      labels = { ...labels, job: container.jobId, ...facts };
    }
    if (reader.isOld) reader.until = await this.#insist(() => this.#delivery.newest(labels));
    reader.labels = labels;
    return true;
  }

  /** Its files are gone, and it is not followed any more. What was not read is told in its place. */
  async #drop(reader: ContainerReader): Promise<void> {
    const bytes = reader.lostAtEnd();
    this.#readers.delete(reader.container.folder);
    await reader.close();
    if (bytes === 0) return;
    this.#props.counts.lost(bytes);
    const labels = reader.labels ?? reader.container.labels;
    this.#notices.push({ time: new Date().toISOString(), text: missingText(bytes), output: 'stderr', labels });
  }

  async #take(line: SearchLine, known: boolean): Promise<void> {
    this.#batch.push(line);
    this.#bytes += line.text.length + LINE_BYTES;
    this.#known ||= known;
    if (this.#bytes >= BATCH_BYTES || this.#batch.length >= BATCH_LINES) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    await this.#insist(() => this.#delivery.send(this.#batch, this.#known, this.#ending));
    this.#batch = [];
    this.#bytes = 0;
    this.#known = false;
  }

  /** Until it is done, or this process ends: a new one begins from what the store has. */
  async #insist<T>(deed: () => Promise<T>): Promise<T> {
    const { log, sink } = this.#props;
    for (let failures = 0; ; failures += 1) {
      try {
        const done = await deed();
        if (failures > 0) log.info({ sink: sink.name }, 'lines are taken again');
        this.#failingSince = 0;
        return done;
      } catch (error) {
        if (this.#ending.aborted) throw error;
        if (failures === 0) log.warn({ error, sink: sink.name }, 'lines are held: their store takes none');
        if (this.#failingSince === 0) this.#failingSince = Date.now();
        await this.#hold();
        await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)], undefined, { signal: this.#ending });
      }
    }
  }

  /** Lines wait in files: none of these may go unnoticed. */
  async #hold(): Promise<void> {
    await this.#discover();
    for (const reader of this.#readers.values()) await reader.hold();
  }
}
