import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@delos/host';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientConfig, connectDatabase, type DatabaseSettings } from '../../../runtime/service/src/db/database.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../../runtime/service/src/service-env.ts';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { quiet, startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

/* A real PostgreSQL with TLS, as a site has it, reached with the environment that the manifests give our services. */

let folder: string;
let postgres: TestPostgres;
let name: string;

const env = (host: string, more: Readonly<Record<string, string>>): DatabaseSettings =>
  databaseSettings(
    readEnv(databaseEnv, {
      PGHOST: host,
      PGPORT: String(postgres.port),
      PGUSER: postgres.user,
      PGDATABASE: name,
      ...more,
    }),
  );
const trusting = (authority: string, host = '127.0.0.1'): DatabaseSettings =>
  env(host, { PGSSLMODE: 'verify-full', PGSSLROOTCERT: join(folder, authority) });

/** Whether the connection is encrypted, as the server sees it. */
async function encrypted(settings: DatabaseSettings): Promise<boolean | undefined> {
  const database = await connectDatabase(settings, quiet);
  try {
    await database.notifications.start();
    const { rows } = await sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(
      database.db,
    );
    return rows[0]?.ssl;
  } finally {
    await database.close();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-database-tls-'));
  const now = new Date();
  const [ours, other] = [await certificateAuthority.createCa(now), await certificateAuthority.createCa(now)];
  const leaf = await certificateAuthority.createLeaf(
    ours,
    { dnsNames: ['db.example.com'], ipAddresses: ['127.0.0.1'] },
    now,
  );
  await writeFile(join(folder, 'ours.pem'), ours.certificate);
  await writeFile(join(folder, 'other.pem'), other.certificate);
  postgres = await startPostgres({ port: await freePort(), certificate: leaf.certificate, key: leaf.key });
  name = await postgres.createDatabase();
});
afterAll(async () => {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a connection is encrypted where TLS is asked for, and plain where it is not', async () => {
  expect(await encrypted(trusting('ours.pem'))).toBe(true);
  expect(await encrypted(env('127.0.0.1', {}))).toBe(false);
});

test.each([
  ['of another authority', () => trusting('other.pem'), /self-signed certificate|unable to/],
  ['for another name', () => trusting('ours.pem', 'localhost'), /localhost\b.*(altnames|does not match)/i],
  [
    'of no public authority, where none is named',
    () => env('127.0.0.1', { PGSSLMODE: 'verify-full' }),
    /self-signed certificate|unable to/,
  ],
])('a server with a certificate %s is refused', async (_, settings, words) => {
  // The very client of the services, without their minute of patience.
  await expect(new pg.Client(clientConfig(settings())).connect()).rejects.toThrow(words);
});

test('an authority that is not there is named', () => {
  expect(() => trusting('nowhere.pem')).toThrow(/PGSSLROOTCERT: .*nowhere.pem cannot be read/);
});
