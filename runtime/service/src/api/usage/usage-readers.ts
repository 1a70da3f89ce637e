import { type JobUsage, RUNNING_PHASES } from '@delos/core';
import type { Logger } from 'pino';
import WebSocket from 'ws';
import type { JobRow } from '../../db/schema.ts';
import { detach, every } from '../../edge/guard.ts';
import { endSocket, forwardFrames, joinSockets } from '../../relay.ts';
import type { AgentHub } from '../agents/hub.ts';
import type { ApiDeps } from '../deps.ts';
import { LatestUsage } from './latest-usage.ts';

const LOOK_MS = 3_000;
/** So many looks in a row at which nothing is known of a job, and its readers are given a stream from its agent. */
const MOST_MISSES = 5;
/** A reader that does not take what it was sent gets no more for now. */
const MOST_UNSENT_BYTES = 64 * 1024;

/** A job whose use is read. */
type Job = Pick<JobRow, 'id' | 'cluster' | 'started_at'>;

interface Reader {
  readonly job: Job;
  /** Time of the measurement that was sent last. */
  last: number;
  misses: number;
}

/**
 * Clients that read what jobs use. All of a replica's are served by one look at the latest measurements, whoever measured
 * and on whichever replica; the agent is not asked. Where nothing is known of a job any more, since the cache is away,
 * its agent is.
 */
export class UsageReaders {
  readonly #database: ApiDeps['database'];
  readonly #latest: LatestUsage;
  readonly #hub: Pick<AgentHub, 'openStream'>;
  readonly #log: Logger;
  readonly #readers = new Map<WebSocket, Reader>();
  readonly #end: () => void;

  constructor(
    { database, cache, log }: Pick<ApiDeps, 'database' | 'cache' | 'log'>,
    hub: Pick<AgentHub, 'openStream'>,
    lookMs: number = LOOK_MS,
  ) {
    this.#database = database;
    this.#latest = new LatestUsage(cache);
    this.#hub = hub;
    this.#log = log;
    this.#end = every(lookMs, log, 'reading what jobs use', () => this.#look());
  }

  /** What a job used when it was measured last; undefined where nobody knows: its agent has to be asked. */
  async first({ id, cluster, started_at: started }: Job): Promise<JobUsage | undefined> {
    const usage = (await this.#latest.of([{ id, cluster }])).get(id);
    // A measurement of a former run says nothing of this one.
    return usage !== undefined && usage.timestamp * 1000 >= (started?.getTime() ?? 0) ? usage : undefined;
  }

  /** Sends this measurement and each later one, until the job does not run any more. */
  add(socket: WebSocket, job: Job, first: JobUsage): void {
    socket.on('error', () => socket.terminate());
    socket.once('close', () => this.#readers.delete(socket));
    const reader: Reader = { job, last: Number.NEGATIVE_INFINITY, misses: 0 };
    this.#readers.set(socket, reader);
    send(socket, reader, first);
  }

  close(): void {
    this.#end();
  }

  async #look(): Promise<void> {
    const jobs = new Map([...this.#readers.values()].map(({ job }) => [job.id, job]));
    const ids = [...jobs.keys()];
    if (ids.length === 0) return;
    const [latest, running] = await Promise.all([this.#latest.of([...jobs.values()]), this.#running(ids)]);
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
        detach(this.#log, 'asking an agent what a job uses', () => this.#askAgent(socket, reader));
      }
    }
  }

  async #running(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#database.db
      .selectFrom('jobs')
      .select('id')
      .where('id', 'in', [...ids])
      .where('phase', 'in', RUNNING_PHASES)
      .execute();
    return new Set(rows.map(({ id }) => id));
  }

  /** From now on the agent's stream is the reader's. Where there is none, the reader waits for the cache. */
  async #askAgent(socket: WebSocket, { job, last }: Reader): Promise<void> {
    this.#readers.delete(socket);
    try {
      const upstream = await this.#hub.openStream(job.cluster, topOf(job.id));
      forwardFrames(upstream, socket, undefined, false);
      joinSockets(upstream, socket);
    } catch (error) {
      this.#log.debug({ error, jobId: job.id }, 'nobody knows now what a job uses');
      if (socket.readyState === WebSocket.OPEN) this.#readers.set(socket, { job, last, misses: 0 });
    }
  }
}

const topOf = (jobId: string): Parameters<AgentHub['openStream']>[1] => ({
  jobId,
  kind: 'top',
  tty: false,
  stdin: false,
  stdout: false,
  stderr: false,
  command: [],
  port: null,
});

function send(socket: WebSocket, reader: { last: number }, usage: JobUsage): void {
  if (usage.timestamp === reader.last || socket.readyState !== WebSocket.OPEN) return;
  if (socket.bufferedAmount > MOST_UNSENT_BYTES) return;
  reader.last = usage.timestamp;
  socket.send(JSON.stringify(usage));
}
