import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { connectDatabase, type Database } from '../../../runtime/service/src/db/database.ts';
import { liveSecret } from '../../../runtime/service/src/live-secret.ts';
import { quiet, startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;
let admin: Database & { readonly name: string };
let folder: string;

beforeAll(async () => {
  postgres = await startPostgres();
  admin = await postgres.connect();
  folder = await mkdtemp(join(tmpdir(), 'delos-rotation-'));
  await sql`create role app login password 'one'`.execute(admin.db);
  const { rows } = await sql<{ file: string }>`select current_setting('hba_file') as file`.execute(admin.db);
  const file = rows[0]?.file ?? '';
  writeFileSync(file, `local all app scram-sha-256\n${readFileSync(file, 'utf8')}`);
  await sql`select pg_reload_conf()`.execute(admin.db);
});
afterAll(async () => {
  await admin?.close();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a service works on while the password of its role becomes another, whenever its connections are cut', async () => {
  const file = join(folder, 'password');
  writeFileSync(file, 'one');
  const { host, port } = postgres;
  const settings = { host, port, user: 'app', database: admin.name, password: liveSecret(file) };
  await until('the rule that asks for a password', 20, async () => {
    const wrong = { ...settings, password: 'wrong' };
    const refused = await connectOnce(wrong).catch((error: unknown) => String(error));
    return refused?.includes('password authentication failed') === true ? true : undefined;
  });
  const service = await connectDatabase({ ...settings, connections: 4 }, quiet);
  try {
    await service.notifications.start();
    const heard: string[] = [];
    service.notifications.on('rotation', (payload) => heard.push(payload));
    const works = async (step: string): Promise<void> => {
      // Each of its connections has to be opened anew.
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'`.execute(admin.db);
      await until('the cut is seen', 20, async () => (service.connections.idle === 0 ? true : undefined));
      const asked = Array.from({ length: 12 }, () => sql<{ one: number }>`select 1 as one`.execute(service.db));
      for (const { rows } of await Promise.all(asked)) expect(rows).toEqual([{ one: 1 }]);
      expect(await service.unhealthy()).toBeUndefined();
      await until(`a notification after "${step}"`, 30, async () => {
        await sql`select pg_notify('rotation', ${step})`.execute(admin.db);
        return heard.includes(step) ? true : undefined;
      });
    };
    await works('before');
    writeFileSync(`${file}.next`, 'two');
    await works('both are there');
    await sql`alter role app password 'two'`.execute(admin.db);
    await works('the server has the new one');
    writeFileSync(`${file}.former`, 'one');
    writeFileSync(file, 'two');
    await rm(`${file}.next`);
    await works('the new one is shown');
    await rm(`${file}.former`);
    await works('after');
    await expect(connectOnce({ ...settings, password: 'one' })).rejects.toThrow('password authentication failed');
  } finally {
    await service.close();
  }
});

test('a member of several changes to the password that the primary takes, and stays by its own where it cannot ask', async () => {
  const { host, port } = postgres;
  await sql`create role replicator login replication password 'one'`.execute(admin.db);
  await sql`create role rewinder login password 'one'`.execute(admin.db);
  const { rows } = await sql<{ file: string }>`select current_setting('hba_file') as file`.execute(admin.db);
  const file = rows[0]?.file ?? '';
  const rules = 'local replication replicator scram-sha-256\nlocal all rewinder scram-sha-256\n';
  writeFileSync(file, `${rules}${readFileSync(file, 'utf8')}`);
  await sql`select pg_reload_conf()`.execute(admin.db);
  // What Patroni says of all members; what decides is the real primary's answer.
  const members = [{ name: 'postgres-1', role: 'leader', host, port }];
  const patroni = createServer((_, answer) => answer.end(JSON.stringify({ members })));
  await new Promise<void>((done) => patroni.listen(0, '127.0.0.1', done));
  const at = z.object({ port: z.number() }).parse(patroni.address()).port;
  const settings = { ports: { patroni: at }, roles: { replication: 'replicator', rewind: 'rewinder' } };
  const local = { kubernetes: {}, restapi: {}, postgresql: {} };
  await writeFile(
    join(folder, 'patroni.json'),
    JSON.stringify({ ...settings, ports: { ...settings.ports, postgres: port }, local }),
  );
  const env = {
    PATH: process.env.PATH,
    PYTHONPATH: join(import.meta.dirname, '../../../artifacts/images/patroni'),
    PYTHONDONTWRITEBYTECODE: '1',
    ...{ DELOS_FILES: folder, DELOS_PASSWORDS: join(folder, 'passwords'), DELOS_RUN: folder },
    ...{ POD_NAME: 'postgres-0', POD_NAMESPACE: 'delos', POD_IP: '127.0.0.1' },
  };
  const python = (program: string): Promise<string> => expectOk(execute(['python3', '-c', program], { env }));
  const put = async (values: Readonly<Record<string, string>>): Promise<void> => {
    for (const role of ['replicator', 'rewinder', 'patroni']) {
      const place = join(folder, 'passwords', role);
      await rm(place, { recursive: true, force: true });
      await mkdir(place, { recursive: true });
      for (const [name, value] of Object.entries(values)) await writeFile(join(place, name), value);
    }
  };
  const used = z.object({
    postgresql: z.object({
      authentication: z.object({
        replication: z.object({ password: z.string() }),
        rewind: z.object({ password: z.string() }),
      }),
    }),
  });
  const looked = async (): Promise<readonly string[]> => {
    await python(`from delos_postgres import passwords; passwords.changed(${at})`);
    const { replication, rewind } = used.parse(JSON.parse(await readFile(join(folder, 'patroni.yml'), 'utf8')))
      .postgresql.authentication;
    return [replication.password, rewind.password];
  };
  const alter = async (role: 'replicator' | 'rewinder', password: string): Promise<void> => {
    await sql`alter role ${sql.ref(role)} password ${sql.lit(password)}`.execute(admin.db);
  };
  try {
    await put({ password: 'one' });
    await python(
      "from delos_postgres import settings, start; start.write(settings.settings(), {'replicator': 'one', 'rewinder': 'one'})",
    );
    expect(await looked()).toEqual(['one', 'one']);
    await put({ password: 'one', 'password.next': 'two' });
    expect(await looked()).toEqual(['one', 'one']);
    await alter('replicator', 'two');
    await alter('rewinder', 'two');
    expect(await looked()).toEqual(['two', 'two']);
    // Another primary sets what it is shown.
    await alter('replicator', 'one');
    expect(await looked()).toEqual(['one', 'two']);
    await put({ password: 'two', 'password.former': 'one' });
    await alter('replicator', 'two');
    expect(await looked()).toEqual(['two', 'two']);
    members.length = 0;
    await put({ password: 'three', 'password.former': 'two' });
    expect(await looked()).toEqual(['two', 'two']);
    await put({ password: 'three' });
    expect(await looked()).toEqual(['three', 'three']);
  } finally {
    patroni.close();
  }
});

/** One connection, without the patience of a service. */
async function connectOnce(settings: {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly password: string;
}) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ ...settings, user: 'app' });
  await client.connect();
  await client.end();
  return '';
}
