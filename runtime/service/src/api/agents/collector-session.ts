import type { ToCollector } from '@delos/core';
import type { Logger } from 'pino';
import WebSocket from 'ws';
import type { Database } from '../../db/database.ts';
import { every } from '../../edge/guard.ts';

/** What had no effect is told again: the collector, or its answer, may have been lost. */
const REPEAT_MS = 5_000;

/** One connected collector: told which logs of its node are to be read to their end. */
export class CollectorSession {
  readonly #socket: WebSocket;
  readonly #cluster: string;
  readonly #node: string;
  readonly #database: Database;
  readonly #log: Logger;

  constructor(socket: WebSocket, cluster: string, node: string, database: Database, log: Logger) {
    this.#socket = socket;
    this.#cluster = cluster;
    this.#node = node;
    this.#database = database;
    this.#log = log;
    const endRepeat = every(REPEAT_MS, log, 'telling a collector', () => this.#tell());
    const { notifications } = database;
    const unsubscribe = [
      notifications.onJobChanged((change) => {
        if (change.cluster === cluster && change.phase === 'ended') void this.#tell(change.id);
      }),
      notifications.onRenewed(() => void this.#tell()),
    ];
    socket.once('close', () => {
      endRepeat();
      for (const end of unsubscribe) end();
    });
    log.info({ cluster, node }, 'collector connected');
    void this.#tell();
  }

  async #tell(jobId?: string): Promise<void> {
    try {
      const rows = await this.#database.db
        .selectFrom('jobs')
        .select(['id', 'pod_uid', 'restarts', 'first_attempt'])
        .where('phase', '=', 'ended')
        .where('cluster', '=', this.#cluster)
        .where('node', '=', this.#node)
        .$if(jobId !== undefined, (query) => query.where('id', '=', jobId ?? ''))
        .execute();
      for (const row of rows) {
        if (row.pod_uid === null) continue;
        const attempts = Math.max(0, row.restarts - row.first_attempt);
        this.#send({ type: 'seal', jobId: row.id, podUid: row.pod_uid, attempts });
      }
    } catch (error) {
      this.#log.warn({ error, node: this.#node }, 'logs to be sealed could not be read');
    }
  }

  #send(message: ToCollector): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}
