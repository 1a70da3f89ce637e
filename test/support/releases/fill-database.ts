import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/*
 * `node fill-database.ts JSON`: the code of release 0.1.0 makes its tables in a database, and works there as its services
 * do: jobs come through its API, run and end, and one has a log. Prints a document of what there is afterwards.
 */

/** Where the release and the database are. */
export interface Filling {
  readonly checkout: string;
  readonly database: { readonly host: string; readonly port: number; readonly user: string; readonly database: string };
  /** Text of the log of the job that has ended. */
  readonly log: string;
}
/** Ids of jobs by what became of them; `removed` is of a user who is removed next. */
export interface Filled {
  readonly ended: string;
  readonly running: string;
  readonly queued: string;
  readonly removed: string;
}

type Tx = unknown;
interface Release {
  connectDatabase(
    settings: unknown,
    log: unknown,
  ): Promise<{
    readonly db: unknown;
    tx<T>(body: (tx: Tx) => Promise<T>): Promise<T>;
    close(): Promise<void>;
  }>;
  migrate(db: unknown): Promise<readonly string[]>;
  applyEvent(tx: Tx, id: string, event: unknown): Promise<unknown>;
  recordObservation(tx: Tx, observation: unknown): Promise<unknown>;
  podRemoved(tx: Tx, id: string, pod: unknown): Promise<unknown>;
  sealLogs(tx: Tx, id: string, complete: boolean): Promise<unknown>;
  appendLog(database: unknown, key: unknown, bytes: unknown): Promise<{ readonly accepted: boolean }>;
  finishLog(database: unknown, key: unknown, end: unknown): Promise<unknown>;
  observation(id: string, seen: unknown): unknown;
  startIssuer(): Promise<{ stop(): Promise<void> }>;
  startControlApi(
    database: unknown,
    issuer: unknown,
  ): Promise<{
    request(
      user: string,
      method: string,
      path: string,
      body?: unknown,
    ): Promise<{
      readonly status: number;
      readonly text: string;
      readonly json: { readonly id: string };
    }>;
    stop(): Promise<void>;
  }>;
  readonly quiet: unknown;
}

const { checkout, database: settings, log } = JSON.parse(process.argv[2] ?? '{}') as Filling;
const FILES = [
  'runtime/src/db/database.ts',
  'runtime/src/db/migrate.ts',
  'runtime/src/db/jobs-state.ts',
  'runtime/src/logs/archive.ts',
  'test/support/observer.ts',
  'test/support/control-api.ts',
  'test/support/postgres.ts',
];
const modules = await Promise.all(FILES.map((file) => import(join(checkout, file)) as Promise<object>));
const release = Object.assign({}, ...modules) as Release;

const database = await release.connectDatabase(settings, release.quiet);
await release.migrate(database.db);
const issuer = await release.startIssuer();
const api = await release.startControlApi(database, issuer);
const submit = async (user: string, name: string): Promise<string> => {
  const project =
    user === 'alice' ? { org_name: 'acme', project_name: 'one' } : { org_name: 'other', project_name: 'hidden' };
  const job = { preset_name: 'cpu-small', image: 'ghcr.io/neuro-inc/base', name, cluster_name: 'default', ...project };
  const { status, text, json } = await api.request(user, 'POST', '/jobs?from_preset', job);
  if (status >= 300) throw new Error(`${status} ${text}`);
  return json.id;
};
const started = async (id: string): Promise<void> => {
  const admit = { type: 'admit', pool: 'default', node: 'node-1', description: '' };
  await database.tx((tx) => release.applyEvent(tx, id, admit));
  const seen = release.observation(id, { startedAt: new Date().toISOString() });
  await database.tx((tx) => release.recordObservation(tx, seen));
};
const filled: Filled = {
  ended: await submit('alice', 'ended'),
  running: await submit('alice', 'running'),
  queued: await submit('alice', 'queued'),
  removed: await submit('bob', 'of-a-removed-user'),
};
for (const id of [filled.ended, filled.running, filled.removed]) await started(id);
const bytes = Buffer.from(log);
const key = { jobId: filled.ended, podUid: `uid-${filled.ended}`, attempt: 0 };
const chunk = { offset: 0, length: bytes.length, gzip: gzipSync(bytes), cursor: null };
if (!(await release.appendLog(database, key, chunk)).accepted) throw new Error('the log is refused');
const end = release.observation(filled.ended, { phase: 'succeeded', exitCode: 0, ofItself: true });
await database.tx((tx) => release.recordObservation(tx, end));
await release.finishLog(database, key, { offset: bytes.length, complete: true });
await database.tx((tx) => release.podRemoved(tx, filled.ended, { run: 0, podUid: '' }));
await api.stop();
await issuer.stop();
await database.close();
console.log(JSON.stringify(filled));
