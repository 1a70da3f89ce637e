import {
  AGENT_PROTOCOL,
  type Desire,
  fromAgent,
  KINDS,
  type Kind,
  type NodeReport,
  type Offer,
  type Report,
  type StreamRequest,
  type ToAgent,
} from '@delos/core';
import type { Logger } from 'pino';
import WebSocket, { type RawData } from 'ws';
import { recordOffer } from '../../db/clusters/leaving.ts';
import type { Database } from '../../db/database.ts';
import { DESIRED, recordReport } from '../../db/desired.ts';
import { guard } from '../../edge/guard.ts';
import { cleanText } from '../../edge/text.ts';
import { bufferOf } from '../../relay.ts';
import type { ApiDeps } from '../deps.ts';
import { LatestUsage } from '../usage/latest-usage.ts';
import { Desires } from './desires.ts';
import { recordNodes } from './nodes.ts';
import { withPullCredential } from './pull-credentials.ts';
import { withRegistryAuth } from './registry-auth.ts';
import { withSecretValues } from './secret-values.ts';
import { sealPlace } from './stream-place.ts';

/**
 * One connected agent. It is told what is desired when it connects and whenever that changes. Its reports are recorded
 * and acknowledged.
 */
export class AgentSession {
  readonly cluster: string;
  readonly connectedAt = Date.now();
  readonly #socket: WebSocket;
  readonly #database: Database;
  readonly #usage: LatestUsage;
  readonly #settings: ApiDeps['settings'];
  /** Its cluster has joined: it dials from elsewhere. */
  readonly #joined: boolean;
  readonly #log: Logger;
  /** Reports of one thing are recorded in their order. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #unsubscribe: readonly (() => void)[];
  readonly #desires: ReadonlyMap<Kind, Desires>;
  #nodes = '';
  /** It has said hello, in our protocol. */
  #greeted = false;

  constructor(
    socket: WebSocket,
    cluster: string,
    { database, cache, log, settings }: Pick<ApiDeps, 'database' | 'cache' | 'log' | 'settings'>,
    { joined }: { readonly joined: boolean } = { joined: false },
  ) {
    this.#socket = socket;
    this.cluster = cluster;
    this.#database = database;
    this.#usage = new LatestUsage(cache);
    this.#settings = settings;
    this.#joined = joined;
    this.#log = log;
    const deps = { database, settings };
    const completed = async (desire: Desire): Promise<Desire> =>
      withSecretValues(
        deps,
        cluster,
        await withRegistryAuth(deps, cluster, await withPullCredential(settings, desire)),
      );
    const desiresOf = (kind: Kind): Desires =>
      new Desires({
        kind,
        list: () => DESIRED[kind].list(database.db, cluster),
        find: (ids) => DESIRED[kind].find(database.db, cluster, ids),
        send: async (message) =>
          this.#deliver(message.type === 'desire' ? { ...message, desire: await completed(message.desire) } : message),
        log: log.child({ cluster, kind }),
      });
    this.#desires = new Map(KINDS.map((kind) => [kind, desiresOf(kind)]));
    const hear = (data: RawData): void => this.#hear(bufferOf(data).toString('utf8'));
    socket.on(
      'message',
      guard(hear, (error) => {
        log.error({ error, cluster }, 'a message of the agent could not be taken');
        socket.close(1011, 'message not taken');
      }),
    );
    this.#unsubscribe = [
      ...[...this.#desires].flatMap(([kind, desires]) => [
        DESIRED[kind].onChange(database.notifications, cluster, (id) => desires.tell(id)),
        () => desires.end(),
      ]),
      database.notifications.onRenewed(() => this.sync()),
    ];
    socket.once('close', () => {
      for (const end of this.#unsubscribe) end();
    });
  }

  /** Whether it hears what it is told. */
  get open(): boolean {
    return this.#greeted && this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: ToAgent): void {
    void this.#deliver(message);
  }

  /** Asks it for a stream. From elsewhere it cannot dial one replica of several: the id then says which one waits. */
  ask(stream: StreamRequest): void {
    const there = this.#joined
      ? {
          ...stream,
          id: sealPlace({ id: stream.id, cluster: this.cluster }, stream.callback, this.#settings),
          callback: null,
        }
      : stream;
    this.send({ type: 'stream', stream: there });
  }

  /** Settles when the operating system has taken the message, or the connection is gone. */
  #deliver(message: ToAgent): Promise<void> {
    if (!this.open) return Promise.resolve();
    const text = JSON.stringify(message);
    return new Promise((resolve) => {
      this.#socket.send(text, () => resolve());
    });
  }

  /** Tells all that is desired. */
  sync(): void {
    for (const desires of this.#desires.values()) desires.tellAll();
  }

  #hear(text: string): void {
    // A refused agent may have sent more before it knew.
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const parsed = fromAgent.safeParse(tryJson(text));
    if (!parsed.success) {
      this.#log.error({ issues: parsed.error.issues }, 'a message of the agent is not understood');
      this.#socket.close(1002, 'message not understood');
      return;
    }
    const message = parsed.data;
    if (message.type !== 'hello' && !this.#greeted) {
      this.#refuse(`the first message must be hello, and not ${message.type}`);
      return;
    }
    switch (message.type) {
      case 'hello':
        this.#greet(message.version, message.protocol);
        break;
      case 'nodes':
        this.#inOrder('', () => this.#recordNodes(message.nodes));
        break;
      case 'usage':
        this.#inOrder('usage', () => this.#usage.record(this.cluster, message.jobs));
        break;
      case 'offer':
        if (this.#joined) this.#inOrder('offer', () => this.#recordOffer(message));
        else this.#refuse("what the platform's own cluster offers is said in delos.yaml");
        break;
      case 'observation':
      case 'removed':
        this.#inOrder(`${message.kind} ${message.id}`, () => this.#record(message));
        break;
    }
  }

  /** An agent of another protocol is refused: neither side would understand the other. */
  #greet(version: string, protocol: number): void {
    const { cluster } = this;
    if (protocol === AGENT_PROTOCOL) {
      this.#log.info({ cluster, version }, 'agent connected');
      this.#greeted = true;
      this.sync();
      return;
    }
    this.#refuse(`the agent speaks protocol ${protocol}, and the control API ${AGENT_PROTOCOL}`);
  }

  #refuse(reason: string): void {
    const { cluster } = this;
    this.#log.error({ cluster }, `${reason}: the agent is refused; it must be of the same release of Delos`);
    this.#socket.close(1002, reason);
  }

  async #record(report: Report): Promise<void> {
    const { kind, id } = report;
    await this.#database.tx((tx) => recordReport(tx, { cluster: this.cluster, kind, report }));
    if (report.type === 'observation') this.send({ type: 'ack', kind, id, seq: report.seq });
    // Not gone yet: it is not archived, or there is to be another run; what is desired then tells the agent what to do.
    else this.#desires.get(kind)?.tell(id);
  }

  async #recordOffer(offer: Offer): Promise<void> {
    const changed = await this.#database.tx((tx) => recordOffer(tx, this.cluster, offer));
    if (changed) this.#log.info({ cluster: this.cluster, presets: offer.presets.length }, 'the cluster offers');
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

function tryJson(text: string): unknown {
  try {
    // A container writes parts of it (its last words). An observation that cannot be stored would be sent again for ever.
    return JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' ? cleanText(value) : value));
  } catch {
    return undefined;
  }
}
