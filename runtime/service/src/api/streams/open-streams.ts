import type { Right } from '@delos/core';
import type { Logger } from 'pino';
import type WebSocket from 'ws';
import type { Database } from '../../db/database.ts';
import { CONFIG_CHANGED, RIGHTS_CHANGED } from '../../db/notifications.ts';
import { HELD, rightsIn } from '../../db/tenancy/held.ts';
import { isGranted } from '../authorization/grants.ts';
import type { Caller } from '../deps.ts';
import { isAllowed } from '../rights.ts';
import type { StreamPlace } from '../stream.ts';

interface Stream {
  readonly caller: Caller;
  readonly project: string;
  readonly right: Right;
  /** Of the object, for grants. */
  readonly uris: readonly string[];
}

/** WebSocket: the peer broke a rule. No normal close, which would mean that the job's output has ended. */
const POLICY_VIOLATION = 1008;

/**
 * Streams that are open. Rights are checked at the handshake; when the configuration changes they are checked again, and
 * the streams of whoever was removed, or has lost the project, are closed.
 */
export class OpenStreams {
  readonly #open = new Map<WebSocket, Stream>();
  readonly #database: Pick<Database, 'db'>;
  readonly #log: Logger;
  readonly #unsubscribe: readonly (() => void)[];

  constructor({ db, notifications }: Pick<Database, 'db' | 'notifications'>, log: Logger) {
    this.#database = { db };
    this.#log = log;
    const look = (): void => {
      this.#look().catch((error: unknown) => this.#log.error({ error }, 'rights of open streams could not be read'));
    };
    this.#unsubscribe = [
      notifications.on(CONFIG_CHANGED, look),
      notifications.on(RIGHTS_CHANGED, look),
      notifications.onRenewed(look),
    ];
  }

  add(socket: WebSocket, caller: Caller, { org, project, uris = [] }: StreamPlace, right: Right): void {
    this.#open.set(socket, { caller, project: `${org}/${project}`, right, uris });
    socket.once('close', () => this.#open.delete(socket));
  }

  close(): void {
    for (const end of this.#unsubscribe) end();
  }

  async #look(): Promise<void> {
    const ids = [...new Set([...this.#open.values()].map(({ caller }) => caller.id))];
    if (ids.length === 0) return;
    const rows = await this.#database.db
      .selectFrom('users')
      .leftJoinLateral(HELD.as('held'), (join) => join.onTrue())
      .select(['users.id', 'held.what', 'held.org', 'held.project', 'held.role'])
      .where('users.id', 'in', ids)
      .where('users.removed_at', 'is', null)
      .execute();
    const live = Map.groupBy(rows, ({ id }) => id);
    const rights = new Map([...live].map(([id, held]) => [id, rightsIn(held)]));
    for (const [socket, { caller, project, right, uris }] of this.#open) {
      const has = rights.get(caller.id);
      if (has !== undefined && isAllowed(caller, has.roles.get(project), right)) continue;
      if (has !== undefined && isGranted(has, uris, right)) continue;
      socket.close(POLICY_VIOLATION, 'the right to it was taken away');
    }
  }
}
