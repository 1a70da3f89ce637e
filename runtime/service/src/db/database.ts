import { setTimeout as sleep } from 'node:timers/promises';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { DelosError } from '@delos/core';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import { type LiveSecret, liveOf } from '../live-secret.ts';
import { passwordOf, withRightPassword } from '../right-password.ts';
import { AnsweringSocket } from './answering-socket.ts';
import { actRecorded, recordAct } from './audit/append.ts';
import { Notifications } from './notifications.ts';
import { withNames } from './prepared.ts';
import type { Db, Schema, Tx } from './schema.ts';

/** How the database is reached; the PG* variables' meaning. */
export interface DatabaseSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string | LiveSecret;
  /** Protects connections. The server's certificate is checked against `host`. @default plain */
  readonly tls?: {
    /** Who has signed the server's certificate, PEM. @default the public authorities */
    readonly authority?: string;
  };
  /** Connections of the pool. @default 10 */
  readonly connections?: number;
  /** For statements that take long, as migrations do: a server may be silent for as long as it likes. @default false */
  readonly patient?: boolean;
  /** Longest silence of a server that was asked something, milliseconds. @default 22 s, more than the longest statement takes */
  readonly answerMs?: number;
}

/** A service's connection to PostgreSQL: a pool, and one connection that listens. */
export interface Database {
  readonly db: Db;
  readonly notifications: Notifications;
  /** Runs the body in one transaction (read committed). The first one of an act that is recorded takes its record along. */
  tx<T>(body: (tx: Tx) => Promise<T>): Promise<T>;
  /** Runs one statement, that may take so long and be silent meanwhile, on a connection of its own. */
  alone(statement: string, ms: number): Promise<void>;
  /** Undefined where the database answers, else why not. */
  unhealthy(): Promise<string | undefined>;
  /** Connections of the pool as they are now. */
  readonly connections: Connections;
  close(): Promise<void>;
}

/** Connections of a pool. */
export interface Connections {
  readonly used: number;
  readonly idle: number;
  /** Who waits for one. */
  readonly waiting: number;
}

const CONNECT_ATTEMPTS = 60;
const INT8 = 20;

// Row counters and byte lengths of logs; far below 2^53.
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

export function clientConfig(settings: DatabaseSettings): pg.ClientConfig {
  return {
    host: settings.host,
    port: settings.port,
    user: settings.user,
    database: settings.database,
    ...(settings.password === undefined ? {} : { password: passwordOf(liveOf(settings.password)) }),
    ...(settings.tls === undefined
      ? {}
      : {
          ssl: {
            ...(settings.tls.authority === undefined ? {} : { ca: settings.tls.authority }),
            rejectUnauthorized: true,
            // The driver tells Node no name where the host is an address, and Node would then check for `localhost`.
            checkServerIdentity: (_name: string, certificate: PeerCertificate) =>
              checkServerIdentity(settings.host, certificate),
          },
        }),
    keepAlive: true,
    // With nothing on its way, a server that is gone is noticed ten seconds later: Node asks once a second, ten times.
    keepAliveInitialDelayMillis: 5_000,
    // TLS reads past the socket that it is given. It is for a server elsewhere, whose operator says what happens when it is gone.
    ...(settings.patient === true || settings.tls !== undefined
      ? {}
      : { stream: () => new AnsweringSocket(settings.answerMs ?? ANSWER_MS) }),
    connectionTimeoutMillis: 5_000,
    types,
  };
}

/** Longest statement; the server ends it. */
const STATEMENT_MS = 20_000;
const PATIENT_STATEMENT_MS = 30_000;
const ANSWER_MS = STATEMENT_MS + 2_000;

/** @throws DelosError ERR_TIMEOUT when the database does not answer within a minute. */
export async function connectDatabase(settings: DatabaseSettings, log: Logger): Promise<Database> {
  const pool = new pg.Pool({
    ...clientConfig(settings),
    max: settings.connections ?? 10,
    idleTimeoutMillis: 60_000,
    statement_timeout: settings.patient === true ? PATIENT_STATEMENT_MS : STATEMENT_MS,
    lock_timeout: 10_000,
    idle_in_transaction_session_timeout: 30_000,
  });
  // An error on an idle connection ends the process unless somebody listens, on the pool and on each client.
  pool.on('error', (error) => log.warn({ error }, 'idle database connection lost'));
  pool.on('connect', (client) => client.on('error', (error) => log.warn({ error }, 'database connection lost')));
  const connect = (): Promise<pg.PoolClient> => withRightPassword(() => pool.connect());
  await waitForDatabase(pool, connect, settings, log);
  const db = new Kysely<Schema>({
    dialect: new PostgresDialect({
      pool: { options: pool.options, connect: async () => withNames(await connect()), end: () => pool.end() },
    }),
  });
  const notifications = new Notifications(clientConfig(settings), log);
  return {
    db,
    notifications,
    tx: async (body) => {
      const result = await db.transaction().execute(async (tx) => {
        const done = await body(tx);
        await recordAct(tx);
        return done;
      });
      actRecorded();
      return result;
    },
    alone: async (statement, ms) => {
      const client = await withRightPassword(async () => {
        const one = new pg.Client({ ...clientConfig({ ...settings, patient: true }), statement_timeout: ms });
        one.on('error', (error) => log.warn({ error }, 'database connection lost'));
        await one.connect();
        return one;
      });
      try {
        await client.query(statement);
      } finally {
        await client.end();
      }
    },
    unhealthy: async () => {
      try {
        await ask(connect);
        return undefined;
      } catch (error) {
        return `PostgreSQL at ${settings.host}:${settings.port}: ${messageOf(error)}`;
      }
    },
    get connections() {
      const { totalCount, idleCount, waitingCount } = pool;
      return { used: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
    },
    close: async () => {
      await notifications.close();
      await db.destroy();
      // Kysely ends the pool only where it has used it; an idle connection keeps the process for a minute.
      if (!pool.ended) await pool.end();
    },
  };
}

async function ask(connect: () => Promise<pg.PoolClient>): Promise<void> {
  const client = await connect();
  try {
    await client.query('select 1');
    client.release();
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function waitForDatabase(
  pool: pg.Pool,
  connect: () => Promise<pg.PoolClient>,
  settings: DatabaseSettings,
  log: Logger,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ask(connect);
      return;
    } catch (error) {
      if (attempt === CONNECT_ATTEMPTS) {
        await pool.end();
        throw new DelosError(
          'ERR_TIMEOUT',
          `PostgreSQL at ${settings.host}:${settings.port} did not answer ${attempt} times: ${messageOf(error)}`,
          { hint: 'look at the database: delos logs postgres', cause: error },
        );
      }
      log.info({ attempt, reason: messageOf(error) }, 'waiting for PostgreSQL');
      await sleep(1_000);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
