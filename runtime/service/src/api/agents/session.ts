import { type FromAgent, fromAgent, type NodeReport, type ToAgent } from '@delos/core';
import type { Logger } from 'pino';
import WebSocket, { type RawData } from 'ws';
import type { Database } from '../../db/database.ts';
import { findDesired, listDesired } from '../../db/desired.ts';
import { podRemoved, recordObservation } from '../../db/jobs-state.ts';
import { guard } from '../../edge/guard.ts';
import { cleanText } from '../../edge/text.ts';
import { bufferOf } from '../../relay.ts';
import { Desires } from './desires.ts';
import { recordNodes } from './nodes.ts';

/** One connected agent: told what is desired when it connects and whenever that changes; heard, and acknowledged. */
export class AgentSession {
  readonly cluster: string;
  readonly connectedAt = Date.now();
  readonly #socket: WebSocket;
  readonly #database: Database;
  readonly #log: Logger;
  /** Observations of one job are recorded in their order. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #desires: Desires;
  #nodes = '';

  constructor(socket: WebSocket, cluster: string, database: Database, log: Logger) {
    this.#socket = socket;
    this.cluster = cluster;
    this.#database = database;
    this.#log = log;
    this.#desires = new Desires({
      list: () => listDesired(database.db, cluster),
      find: (ids) => findDesired(database.db, ids),
      send: (message) => this.#deliver(message),
      log: log.child({ cluster }),
    });
    const hear = (data: RawData): void => this.#hear(bufferOf(data).toString('utf8'));
    socket.on(
      'message',
      guard(hear, (error) => {
        log.error({ error, cluster }, 'a message of the agent could not be taken');
        socket.close(1011, 'message not taken');
      }),
    );
    this.#unsubscribe = [
      database.notifications.onJobChanged((change) => {
        if (change.cluster === cluster && change.phase !== 'queued') this.#desires.tell(change.id);
      }),
      database.notifications.onRenewed(() => this.sync()),
      () => this.#desires.end(),
    ];
    socket.once('close', () => {
      for (const end of this.#unsubscribe) end();
    });
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: ToAgent): void {
    void this.#deliver(message);
  }

  /** Settles when the operating system has taken the message, or the connection is gone. */
  #deliver(message: ToAgent): Promise<void> {
    if (!this.open) return Promise.resolve();
    const text = JSON.stringify(message);
    return new Promise((resolve) => {
      this.#socket.send(text, () => resolve());
    });
  }

  end(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  /** Tells all that is desired. */
  sync(): void {
    this.#desires.tellAll();
  }

  #hear(text: string): void {
    const parsed = fromAgent.safeParse(tryJson(text));
    if (!parsed.success) {
      this.#log.error({ issues: parsed.error.issues }, 'a message of the agent is not understood');
      this.#socket.close(1002, 'message not understood');
      return;
    }
    const message = parsed.data;
    switch (message.type) {
      case 'hello':
        this.#log.info({ cluster: this.cluster, version: message.version }, 'agent connected');
        this.sync();
        break;
      case 'nodes':
        this.#inOrder('', () => this.#recordNodes(message.nodes));
        break;
      case 'observation':
      case 'removed':
        this.#inOrder(jobOf(message), () => this.#record(message));
        break;
    }
  }

  async #record(message: FromAgent & { type: 'observation' | 'removed' }): Promise<void> {
    if (message.type === 'removed') {
      await this.#database.tx((tx) => podRemoved(tx, message.jobId, message));
      // Not gone yet: it is not archived, or there is to be another run; what is desired then tells the agent what to do.
      this.#desires.tell(message.jobId);
      return;
    }
    const { observation, seq } = message;
    await this.#database.tx((tx) => recordObservation(tx, observation));
    this.send({ type: 'ack', jobId: observation.jobId, podUid: observation.podUid, seq });
  }

  async #recordNodes(nodes: readonly NodeReport[]): Promise<void> {
    const text = JSON.stringify(nodes);
    await recordNodes(this.#database, this.cluster, nodes, text !== this.#nodes);
    this.#nodes = text;
  }

  #inOrder(key: string, body: () => Promise<void>): void {
    const before = this.#queues.get(key) ?? Promise.resolve();
    // What fails is not acknowledged, hence told again.
    const after = before.then(body).catch((error: unknown) => this.#fail(error, 'a report could not be recorded'));
    this.#queues.set(key, after);
    void after.then(() => {
      if (this.#queues.get(key) === after) this.#queues.delete(key);
    });
  }

  #fail(error: unknown, what: string): void {
    this.#log.warn({ error, cluster: this.cluster }, what);
  }
}

function jobOf(message: FromAgent & { type: 'observation' | 'removed' }): string {
  return message.type === 'removed' ? message.jobId : message.observation.jobId;
}

function tryJson(text: string): unknown {
  try {
    // A container writes parts of it (its last words): an observation that cannot be stored would come again for ever.
    return JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' ? cleanText(value) : value));
  } catch {
    return undefined;
  }
}
