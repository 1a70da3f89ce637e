import { execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FORMER_POSTGRES_USER } from '@delos/core';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  HAND_OVER,
  PASSWD,
  POSTGRES_USER,
  prepareScript,
  START,
} from '../../../constructs/src/services/postgres/files.ts';
import { postgresFolder } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/* The steps before PostgreSQL's start, as the Pod runs them: its users, its /etc/passwd, a real PostgreSQL. */

const exec = promisify(execFile);
const USER = POSTGRES_USER;

let folder: string;
let volume: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-pg-prepare-'));
  await chmod(folder, 0o755);
  volume = join(folder, 'volume');
  await mkdir(volume);
  // As the embedded node's volumes are.
  await chmod(volume, 0o777);
  await mkdir(join(folder, 'run'));
  await chown(join(folder, 'run'), USER, USER);
  await writeFile(join(folder, 'passwd'), PASSWD);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const environment = () => ({
  PATH: [postgresFolder(), process.env.PATH].join(delimiter),
  PGDATA: join(volume, 'pgdata'),
  PASSWORDS: join(folder, 'passwords'),
});

async function passwords(values: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const file = join(folder, 'passwords', name, 'password');
    await rm(file, { force: true });
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, value, { mode: 0o440 });
    await chown(file, 0, USER);
  }
}

/** Arguments that run a command as a container of the Pod: its user and group, and the mounted /etc/passwd. */
function asPod(user: number, group: number, command: readonly string[]): readonly string[] {
  const identity = ['--reuid', String(user), '--regid', String(group), '--clear-groups'];
  const script = 'mount --bind "$1" /etc/passwd && shift && exec setpriv "$@"';
  return ['--mount', 'sh', '-c', script, 'sh', join(folder, 'passwd'), ...identity, ...command];
}

async function script(text: string, user: number = USER, group: number = USER): Promise<string> {
  const file = join(folder, 'script.sh');
  await writeFile(file, text);
  const { stdout, stderr } = await exec('unshare', asPod(user, group, ['sh', file]), { env: environment() });
  return stdout + stderr;
}

const prepare = (databases: readonly string[]): Promise<string> => script(prepareScript({ databases }));

/** A run of `prepare` that is killed, with all its processes, after this many milliseconds. */
async function killedAfter(ms: number, databases: readonly string[]): Promise<void> {
  const file = join(folder, 'script.sh');
  await writeFile(file, prepareScript({ databases }));
  const child = spawn('unshare', ['--pid', '--kill-child', '--fork', ...asPod(USER, USER, ['sh', file])], {
    env: environment(),
    stdio: 'ignore',
    detached: true,
  });
  const gone = new Promise((resolve) => child.once('close', resolve));
  await Promise.race([sleep(ms), gone]);
  if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await gone;
}

interface Running {
  /** Connects by TCP's rules: with the password of that role. */
  readonly connect: (user: string, password: string, database?: string) => Promise<pg.Client>;
  readonly stop: () => Promise<void>;
}

async function serve(): Promise<Running> {
  const host = join(folder, 'run');
  const hba = join(folder, 'pg_hba.conf');
  await writeFile(hba, 'local all all scram-sha-256\n');
  const options = ['listen_addresses=', `unix_socket_directories=${host}`, `hba_file=${hba}`, 'fsync=off'];
  const start = join(folder, 'start.sh');
  await writeFile(start, START);
  const server = ['sh', start, ...options.flatMap((option) => ['-c', option])];
  const child = spawn('unshare', asPod(USER, USER, server), { env: environment(), stdio: 'ignore' });
  const connect: Running['connect'] = async (user, password, database = user) => {
    const client = new pg.Client({ host, user, password, database });
    await client.connect();
    return client;
  };
  await until('PostgreSQL answers', 30, async () => {
    if (child.exitCode !== null) throw new Error('PostgreSQL ended');
    const error: unknown = await connect('nobody', 'x').then(
      () => undefined,
      (cause: unknown) => cause,
    );
    return error instanceof pg.DatabaseError && error.code === '28P01' ? true : undefined;
  });
  return {
    connect,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGINT');
      await gone;
    },
  };
}

/** Runs a server for as long as the test looks at it. */
async function served<T>(look: (running: Running) => Promise<T>): Promise<T> {
  const running = await serve();
  try {
    return await look(running);
  } finally {
    await running.stop();
  }
}

async function rows(client: pg.Client, query: string): Promise<readonly unknown[]> {
  try {
    return (await client.query(query)).rows;
  } finally {
    await client.end();
  }
}

const owners = async ({ connect }: Running, password: string): Promise<readonly unknown[]> =>
  rows(
    await connect('postgres', password),
    `select datname as name, pg_get_userbyid(datdba) as owner from pg_database
     where not datistemplate and datname <> 'postgres' order by 1`,
  );

describe('the databases', () => {
  test('one that is added later is made at the next start, with its owner, and the others keep their data', async () => {
    await passwords({ admin: 'root-one', delos: 'd-one', keycloak: 'k-one' });
    await prepare(['delos', 'keycloak']);
    await served(async (running) => {
      await rows(await running.connect('delos', 'd-one'), 'create table kept as select 7 as seven');
    });
    await passwords({ 'ml-flow': 'm-one' });
    await prepare(['delos', 'keycloak', 'ml-flow']);
    await served(async (running) => {
      expect(await owners(running, 'root-one')).toEqual([
        { name: 'delos', owner: 'delos' },
        { name: 'keycloak', owner: 'keycloak' },
        { name: 'ml-flow', owner: 'ml-flow' },
      ]);
      expect(await rows(await running.connect('delos', 'd-one'), 'select * from kept')).toEqual([{ seven: 7 }]);
      await rows(await running.connect('ml-flow', 'm-one'), 'create table own ()');
      // Nobody but its owner enters a database.
      await expect(running.connect('delos', 'd-one', 'ml-flow')).rejects.toThrow('permission denied for database');
    });
  });

  test('a changed password is the role’s from the next start on, whatever characters it has', async () => {
    await passwords({ admin: 'root-one', delos: 'd-one' });
    await prepare(['delos']);
    const hard = `it's "$HOME" \\ %s \`id\``;
    await passwords({ admin: 'root-two', delos: hard });
    await prepare(['delos']);
    await served(async (running) => {
      await expect(running.connect('delos', 'd-one')).rejects.toThrow('password authentication failed');
      await expect(running.connect('postgres', 'root-one')).rejects.toThrow('password authentication failed');
      expect(await rows(await running.connect('delos', hard), 'select 1 as one')).toEqual([{ one: 1 }]);
      expect(await owners(running, 'root-two')).toEqual([{ name: 'delos', owner: 'delos' }]);
    });
  });

  test('a database that is not listed any more is kept', async () => {
    await passwords({ admin: 'a', delos: 'd', old: 'o' });
    await prepare(['delos', 'old']);
    await prepare(['delos']);
    await served(async (running) => expect(await owners(running, 'a')).toHaveLength(2));
  });

  test('all of them are there after starts that were killed at any instant', async () => {
    const databases = ['delos', 'keycloak', 'third', 'fourth'];
    await passwords(Object.fromEntries(['admin', ...databases].map((name) => [name, `${name}-secret`])));
    for (const ms of [0, 300, 900]) await killedAfter(ms, databases.slice(0, 2));
    await prepare(databases.slice(0, 2));
    for (const ms of [50, 200, 350, 500]) await killedAfter(ms, databases);
    await prepare(databases);
    await served(async (running) => {
      expect(await owners(running, 'admin-secret')).toEqual(
        databases.toSorted().map((name) => ({ name, owner: name })),
      );
      for (const name of databases) await (await running.connect(name, `${name}-secret`)).end();
    });
    expect(await readdir(volume)).toEqual(['pgdata']);
  });

  test('are prepared and served after a start that was killed before it had written its lock file', async () => {
    await passwords({ admin: 'admin-secret', delos: 'delos-secret' });
    await prepare(['delos']);
    const lock = join(volume, 'pgdata/postmaster.pid');
    const killed = async (): Promise<void> => {
      await writeFile(lock, '');
      await chown(lock, USER, USER);
    };
    await killed();
    expect(await prepare(['delos'])).toContain('removing the empty lock file');
    await killed();
    await served(async (running) => {
      await (await running.connect('delos', 'delos-secret')).end();
      // The lock of a server that runs stays.
      await expect(script(START)).rejects.toThrow('postmaster.pid');
    });
  });

  test.each(['', '\n', 'two\nlines'])(
    'a password file with %j stops the start, and its Secret is named',
    async (text) => {
      await passwords({ admin: 'a', delos: text });
      await expect(prepare(['delos'])).rejects.toThrow('put one into the Secret postgres-delos');
    },
  );

  test.each(['admin', 'postgres', 'Delos', 'a;drop', '-a', 'a-', '1a', ''])('none can be named %j', (name) => {
    expect(() => prepareScript({ databases: ['delos', name] })).toThrow(
      `no database can be named ${JSON.stringify(name)}`,
    );
  });
});

test('a folder of one of several members does not become a database of its own: it may lack what the others have', async () => {
  await passwords({ admin: 'a', delos: 'd' });
  await prepare(['delos']);
  await writeFile(join(volume, 'pgdata/patroni.dynamic.json'), '{}');
  await expect(prepare(['delos'])).rejects.toThrow('the volume of the claim data-postgres-0 is one of three');
});

describe('a data folder of the user that earlier releases had', () => {
  const data = () => join(volume, 'pgdata');

  beforeEach(async () => {
    await passwords({ admin: 'a', delos: 'd' });
    await prepare(['delos']);
    await served(async ({ connect }) => {
      await rows(await connect('delos', 'd'), 'create table kept as select generate_series(1, 1000) as n');
    });
    await exec('chown', ['-R', `${FORMER_POSTGRES_USER}:${FORMER_POSTGRES_USER}`, data()]);
  });

  const handOver = (): Promise<string> => script(HAND_OVER, FORMER_POSTGRES_USER, USER);
  const looksKept = () =>
    served(async ({ connect }) => {
      expect(await rows(await connect('delos', 'd'), 'select count(*)::int as count from kept')).toEqual([
        { count: 1000 },
      ]);
    });

  test('is handed over, and goes on working with all its data', async () => {
    await handOver();
    await prepare(['delos']);
    await looksKept();
    const { uid, gid, mode } = await stat(data());
    expect([uid, gid, mode & 0o777]).toEqual([USER, USER, 0o700]);
    const { stdout } = await exec('find', [data(), '(', '!', '-user', String(USER), '-o', '-perm', '/077', ')']);
    expect(stdout).toBe('');
    expect(await readdir(volume)).toEqual(['pgdata']);
    // From then on there is nothing to hand over.
    expect(await handOver()).toBe('');
    await prepare(['delos']);
    await looksKept();
  });

  test('survives a kill at any instant of its move', async () => {
    for (const ms of [0, 40, 120, 250]) {
      await handOver();
      await killedAfter(ms, ['delos']);
    }
    await handOver();
    await prepare(['delos']);
    await looksKept();
    expect(await readdir(volume)).toEqual(['pgdata']);
  });

  test('survives a kill between the two renames', async () => {
    await handOver();
    await script(`cp -R --preserve=mode,timestamps "$PGDATA" "$PGDATA.own"; mv "$PGDATA" "$PGDATA.former"`);
    await prepare(['delos']);
    await looksKept();
    expect(await readdir(volume)).toEqual(['pgdata']);
  });
});
