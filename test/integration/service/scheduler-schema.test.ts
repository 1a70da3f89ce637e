import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate, missingMigrations } from '../../../runtime/service/src/db/migrate.ts';
import { schedulerService } from '../../../runtime/service/src/scheduler/index.ts';
import { startService } from '../../../runtime/service/src/service-run.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  await postgres?.stop();
});

test('a scheduler that starts before the tables are made waits for them, and says so', async () => {
  const database = await postgres.connect();
  await sql`drop schema public cascade`.execute(database.db);
  await sql`create schema public`.execute(database.db);
  const missing = await missingMigrations(database.db);
  expect(missing).toContain('0001_init.sql');

  const env = { ...postgres.env(database.name), DELOS_LISTEN_HOST: '127.0.0.1', DELOS_LOG_LEVEL: 'silent' };
  const runner = await startService(schedulerService, { env, internalPort: 0 });
  const ready = async (): Promise<unknown> => (await fetch(`${runner.internalUrl}/health/ready`)).json();
  try {
    expect(await ready()).toEqual({ status: 'unready', reason: expect.stringContaining('prepare the database') });
    expect(await migrate(database.db)).toEqual(missing);
    expect(await missingMigrations(database.db)).toEqual([]);
    await until('the scheduler is ready', 20, async (last) => {
      const answer = await ready();
      last(answer);
      return JSON.stringify(answer) === '{"status":"ready"}' ? true : undefined;
    });
  } finally {
    await runner.stop();
    await database.close();
  }
});
