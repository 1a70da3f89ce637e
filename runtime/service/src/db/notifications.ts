import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { JOB_PHASES } from '@delos/core';
import pg from 'pg';
import type { Logger } from 'pino';
import { z } from 'zod';
import { guard } from '../edge/guard.ts';
import { withRightPassword } from '../right-password.ts';

/** A job changed its state; payload {@link JobChanged}. */
export const JOB_CHANGED = 'job_changed';
/** What is desired of a disk has changed; payload: `{id, cluster}`. */
export const DISK_CHANGED = 'disk_changed';
/** Log bytes were archived; payload: what the log archive says (its own schema). */
export const LOG_APPENDED = 'log_appended';
/** Node reports of a cluster changed; payload: the cluster's name. */
export const NODES_CHANGED = 'nodes_changed';

/** The configuration (presets, projects, quotas) was applied anew; payload: the cluster's name. */
export const CONFIG_CHANGED = 'config_changed';

/** Grants have changed: who looks at rights of what is open looks again. No payload. */
export const RIGHTS_CHANGED = 'rights_changed';

/** A cluster has joined, offers something else, is leaving or has left; payload: its name. */
export const CLUSTERS_CHANGED = 'clusters_changed';

/** Somebody of an identity provider is here; payload: the subject of their account. */
export const PERSON_SEEN = 'person_seen';
/** The keeper of the realm has looked at somebody; payload: the subject of their account. */
export const PERSON_LOOKED = 'person_looked';

/** An attempt of a bake was made or has changed; payload: `{bake, attempt, result}`. */
export const FLOW_CHANGED = 'flow_changed';

/** A replica of the API wants a stream of a cluster's agent; payload: `{cluster, id, at}`. */
export const STREAM_WANTED = 'stream_wanted';

export const jobChanged = z.object({
  id: z.string(),
  cluster: z.string(),
  phase: z.enum(JOB_PHASES),
});
export type JobChanged = z.infer<typeof jobChanged>;

const RETRY_MS = [50, 200, 1_000, 5_000];

/**
 * LISTEN on a connection of its own, renewed for as long as the service lives. A notification may be lost with the
 * connection: `renewed` tells the listeners to look again at everything, and they sweep at intervals anyway.
 */
export class Notifications {
  readonly #config: pg.ClientConfig;
  readonly #log: Logger;
  readonly #events = new EventEmitter({ captureRejections: false }).setMaxListeners(0);
  readonly #channels = new Set<string>();
  #client: pg.Client | undefined;
  #closed = false;
  #loop: Promise<void> = Promise.resolve();
  #listening: Promise<unknown> = Promise.resolve();

  constructor(config: pg.ClientConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** A handler that throws is logged; the others are called all the same. @returns a function that ends the subscription */
  on(channel: string, handler: (payload: string) => void): () => void {
    if (!this.#channels.has(channel)) {
      this.#channels.add(channel);
      const client = this.#client;
      // One after the other: a connection answers one query at a time. What came before it listened is unknown.
      this.#listening = this.#listening
        .then(() => client?.query(listenTo(channel)))
        .then((answer) => answer && this.#events.emit(' renewed', ''))
        .catch(() => undefined);
    }
    return this.#subscribe(channel, handler);
  }

  onJobChanged(handler: (change: JobChanged) => void): () => void {
    return this.on(JOB_CHANGED, (payload) => {
      const parsed = jobChanged.safeParse(tryJson(payload));
      if (parsed.success) handler(parsed.data);
    });
  }

  /** Called after each (re)connection, and when a channel begins to be heard: what was notified before is unknown. */
  onRenewed(handler: () => void): () => void {
    return this.#subscribe(' renewed', handler);
  }

  #subscribe(event: string, handler: (payload: string) => void): () => void {
    const guarded = guard(handler, (error) => this.#log.error({ error, event }, 'a notification could not be taken'));
    this.#events.on(event, guarded);
    return () => this.#events.off(event, guarded);
  }

  get connected(): boolean {
    return this.#client !== undefined;
  }

  /** Connects, and keeps connected until {@link close}. The first connection is awaited. */
  async start(): Promise<void> {
    const first = await withRightPassword(() => this.#connect());
    this.#loop = this.#keep(first);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#client?.end().catch(() => undefined);
    await this.#loop;
  }

  async #keep(first: { readonly ended: Promise<void> }): Promise<void> {
    let connection: { readonly ended: Promise<void> } | undefined = first;
    for (let failures = 0; !this.#closed; ) {
      if (connection !== undefined) {
        await connection.ended;
        connection = undefined;
        failures = 0;
        continue;
      }
      try {
        connection = await withRightPassword(() => this.#connect());
      } catch (error) {
        this.#log.warn({ error }, 'LISTEN connection could not be renewed');
        await sleep(RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 5_000);
        failures += 1;
      }
    }
  }

  async #connect(): Promise<{ readonly ended: Promise<void> }> {
    const client = new pg.Client(this.#config);
    const ended = new Promise<void>((resolve) => {
      client.once('end', () => resolve());
      client.on('error', (error) => {
        this.#log.warn({ error }, 'LISTEN connection lost');
        client.end().catch(() => undefined);
        resolve();
      });
    }).then(() => {
      if (this.#client === client) this.#client = undefined;
    });
    client.on('notification', (message) => this.#events.emit(message.channel, message.payload ?? ''));
    await client.connect();
    for (const channel of this.#channels) await client.query(listenTo(channel));
    this.#client = client;
    if (this.#closed) await client.end();
    else this.#events.emit(' renewed', '');
    return { ended };
  }
}

const listenTo = (channel: string): string => `listen ${pg.escapeIdentifier(channel)}`;

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
