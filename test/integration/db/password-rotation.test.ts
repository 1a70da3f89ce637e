import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
