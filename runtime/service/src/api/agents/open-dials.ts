import type { Logger } from 'pino';
import type WebSocket from 'ws';
import type { Database } from '../../db/database.ts';
import { CLUSTERS_CHANGED } from '../../db/notifications.ts';
import { detach } from '../../edge/guard.ts';

/** WebSocket: the peer broke a rule. */
const POLICY_VIOLATION = 1008;

/** Connections of clusters that have joined: closed as soon as their cluster has left or was removed. */
export class OpenDials {
  readonly #open = new Map<WebSocket, string>();
  readonly #database: Pick<Database, 'db'>;
  readonly #unsubscribe: readonly (() => void)[];

  constructor({ db, notifications }: Pick<Database, 'db' | 'notifications'>, log: Logger) {
    this.#database = { db };
    const look = (): void => detach(log, 'looking whose cluster has left', () => this.#look());
    this.#unsubscribe = [notifications.on(CLUSTERS_CHANGED, look), notifications.onRenewed(look)];
  }

  add(socket: WebSocket, cluster: string): void {
    this.#open.set(socket, cluster);
    socket.once('close', () => this.#open.delete(socket));
  }

  close(): void {
    for (const end of this.#unsubscribe) end();
  }

  async #look(): Promise<void> {
    if (this.#open.size === 0) return;
    const rows = await this.#database.db
      .selectFrom('clusters')
      .select('name')
      .where('joined_at', 'is not', null)
      .execute();
    const joined = new Set(rows.map(({ name }) => name));
    for (const [socket, cluster] of this.#open) {
      if (!joined.has(cluster)) socket.close(POLICY_VIOLATION, 'the cluster has left the platform');
    }
  }
}
