import type { JobUsage } from '@delos/core';
import type { Logger } from 'pino';
import WebSocket from 'ws';
import { detach, every } from '../../edge/guard.ts';
import { endSocket, forwardFrames, joinSockets } from '../../relay.ts';
import type { LatestUsage } from './latest-usage.ts';

const LOOK_MS = 3_000;
/** So many looks in a row at which nothing is known of a job, and its readers are given a stream from its agent. */
const MOST_MISSES = 5;
/** A reader that does not take what it was sent gets no more for now. */
const MOST_UNSENT_BYTES = 64 * 1024;

interface Reader<Job> {
  readonly job: Job;
  /** Time of the measurement that was sent last. */
  last: number;
  misses: number;
}

export interface UsageReadersProps<Job> {
  readonly latest: Pick<LatestUsage, 'of'>;
  /** Which of these jobs still run. */
  readonly running: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
  /** A stream of measurements from the job's agent. */
  readonly stream: (job: Job) => Promise<WebSocket>;
  readonly log: Logger;
  /** @default 3 s */
  readonly lookMs?: number;
}

/**
 * Clients that read what jobs use. All of a replica's are served by one look at the latest measurements, whoever measured
 * and on whichever replica; the agent is not asked. Where nothing is known of a job any more, since the cache is away,
 * its agent is.
 */
export class UsageReaders<Job extends { readonly id: string; readonly started_at: Date | null }> {
  readonly #props: UsageReadersProps<Job>;
  readonly #readers = new Map<WebSocket, Reader<Job>>();
  readonly #end: () => void;

  constructor(props: UsageReadersProps<Job>) {
    this.#props = props;
    this.#end = every(props.lookMs ?? LOOK_MS, props.log, 'reading what jobs use', () => this.#look());
  }

  /** What a job used when it was measured last; undefined where nobody knows: its agent has to be asked. */
  async first({ id, started_at: started }: Job): Promise<JobUsage | undefined> {
    const usage = (await this.#props.latest.of([id])).get(id);
    // A measurement of a former run says nothing of this one.
    return usage !== undefined && usage.timestamp * 1000 >= (started?.getTime() ?? 0) ? usage : undefined;
  }

  /** Sends this measurement and each later one, until the job does not run any more. */
  add(socket: WebSocket, job: Job, first: JobUsage): void {
    socket.on('error', () => socket.terminate());
    socket.once('close', () => this.#readers.delete(socket));
    const reader: Reader<Job> = { job, last: Number.NEGATIVE_INFINITY, misses: 0 };
    this.#readers.set(socket, reader);
    send(socket, reader, first);
  }

  close(): void {
    this.#end();
  }

  async #look(): Promise<void> {
    const ids = [...new Set([...this.#readers.values()].map(({ job }) => job.id))];
    if (ids.length === 0) return;
    const [latest, running] = await Promise.all([this.#props.latest.of(ids), this.#props.running(ids)]);
    for (const [socket, reader] of this.#readers) {
      // One that came meanwhile was not asked about.
      if (!ids.includes(reader.job.id)) continue;
      if (!running.has(reader.job.id)) {
        this.#readers.delete(socket);
        endSocket(socket);
        continue;
      }
      const usage = latest.get(reader.job.id);
      reader.misses = usage === undefined ? reader.misses + 1 : 0;
      if (usage !== undefined) send(socket, reader, usage);
      else if (reader.misses >= MOST_MISSES) {
        detach(this.#props.log, 'asking an agent what a job uses', () => this.#askAgent(socket, reader));
      }
    }
  }

  /** From now on the agent's stream is the reader's. Where there is none, the reader waits for the cache. */
  async #askAgent(socket: WebSocket, { job, last }: Reader<Job>): Promise<void> {
    this.#readers.delete(socket);
    try {
      const upstream = await this.#props.stream(job);
      forwardFrames(upstream, socket, undefined, false);
      joinSockets(upstream, socket);
    } catch (error) {
      this.#props.log.debug({ error, jobId: job.id }, 'nobody knows now what a job uses');
      if (socket.readyState === WebSocket.OPEN) this.#readers.set(socket, { job, last, misses: 0 });
    }
  }
}

function send(socket: WebSocket, reader: { last: number }, usage: JobUsage): void {
  if (usage.timestamp === reader.last || socket.readyState !== WebSocket.OPEN) return;
  if (socket.bufferedAmount > MOST_UNSENT_BYTES) return;
  reader.last = usage.timestamp;
  socket.send(JSON.stringify(usage));
}
