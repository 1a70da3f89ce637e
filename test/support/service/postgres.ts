import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  chownSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { pino } from 'pino';
import { connectDatabase, type Database } from '../../../runtime/service/src/db/database.ts';
import { migrate } from '../../../runtime/service/src/db/migrate.ts';

/*
 * A real PostgreSQL for tests: a server of its own in a temporary folder, reached by a unix socket alone, run as
 * another user where the test is root (it refuses root). Migrations run once into a template database; each
 * database of a test is a clone of it.
 */

export interface TestPostgres {
  /** The socket's folder: PGHOST. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A new, migrated, empty database. */
  readonly createDatabase: () => Promise<string>;
  /** Connects a service's kind of client to a new database. */
  readonly connect: () => Promise<Database & { readonly name: string }>;
  readonly env: (database: string) => Readonly<Record<string, string>>;
  /** Ends every connection to a database, as a failing server would. */
  readonly cutConnections: (database: string) => Promise<void>;
  /** All its processes stand still, as on a node that hangs. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const USER = 'delos';
const TEMPLATE = 'delos_template';
export const quiet = pino({ level: process.env.DELOS_TEST_LOG ?? 'silent' });

/** Where it listens beside its socket, and what it shows there. */
export interface PostgresOverTls {
  /** On 127.0.0.1. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

/**
 * @param durable commits are on the disk when they are answered, as in a platform. @default false: tests need no disk
 * @throws Error when no PostgreSQL is installed: a test that needs it cannot be skipped.
 */
export async function startPostgres(tcp?: PostgresOverTls, durable = false): Promise<TestPostgres> {
  const bin = postgresFolder();
  const folder = mkdtempSync(join(tmpdir(), 'delos-pg-'));
  const owner = process.getuid?.() === 0 ? idsOf('postgres', 'nobody') : undefined;
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    ...owner,
  });
  const settings = ['max_connections=100'];
  if (!durable) settings.push('fsync=off', 'full_page_writes=off', 'synchronous_commit=off');
  const port = tcp?.port ?? 5432;
  if (tcp === undefined) settings.push('listen_addresses=');
  else {
    settings.push('listen_addresses=127.0.0.1', 'ssl=on', `port=${port}`);
    for (const [name, text] of [
      ['server.crt', tcp.certificate],
      ['server.key', tcp.key],
    ] as const) {
      const file = join(data, name);
      writeFileSync(file, text, { mode: 0o600 });
      if (owner !== undefined) chownSync(file, owner.uid, owner.gid);
    }
  }
  const child = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-k', folder, ...settings.flatMap((setting) => ['-c', setting])],
    { stdio: ['ignore', 'ignore', process.env.DELOS_TEST_LOG === undefined ? 'ignore' : 'inherit'], ...owner },
  );
  const stopNow = (): void => void child.kill('SIGKILL');
  process.once('exit', stopNow);
  const admin = await connectAdmin(folder, port, child);
  let databases = 0;
  const createDatabase = async (): Promise<string> => {
    const name = `test_${++databases}`;
    await admin.query(`create database ${name} template ${TEMPLATE}`);
    return name;
  };
  const at = (database: string) => ({ host: folder, port, user: USER, database });

  await admin.query(`create database ${TEMPLATE}`);
  const template = await connectDatabase(at(TEMPLATE), quiet);
  await migrate(template.db);
  await template.close();

  return {
    host: folder,
    port,
    user: USER,
    createDatabase,
    connect: async () => {
      const name = await createDatabase();
      return { ...(await connectDatabase(at(name), quiet)), name };
    },
    env: (database) => ({ PGHOST: folder, PGPORT: String(port), PGUSER: USER, PGDATABASE: database }),
    cutConnections: async (database) => {
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database]);
    },
    freeze: async () => signalAll(child, 'SIGSTOP'),
    thaw: async () => signalAll(child, 'SIGCONT'),
    stop: async () => {
      await admin.end();
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
      process.off('exit', stopNow);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The server and the processes that it has started. */
function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
  const pid = child.pid ?? 0;
  const started = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  for (const each of [pid, ...started.map(Number)]) process.kill(each, signal);
}

async function connectAdmin(host: string, port: number, child: ChildProcess): Promise<pg.Client> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new pg.Client({ host, port, user: USER, database: 'postgres' });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (attempt === 300 || child.exitCode !== null) throw error;
      await sleep(50);
    }
  }
}

/** Debian keeps the server out of PATH. */
export function postgresFolder(): string {
  const debian = '/usr/lib/postgresql';
  const versions = tryReaddir(debian).sort((a, b) => Number(b) - Number(a));
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  const found = folders.find(
    (folder) => isExecutable(join(folder, 'postgres')) && isExecutable(join(folder, 'initdb')),
  );
  if (found === undefined) throw new Error('these tests need PostgreSQL: apt-get install postgresql');
  return found;
}

function tryReaddir(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function idsOf(...names: readonly string[]): { readonly uid: number; readonly gid: number } {
  for (const name of names) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // Not on this machine: the next one.
    }
  }
  throw new Error(`none of the users ${names.join(', ')} exists`);
}
