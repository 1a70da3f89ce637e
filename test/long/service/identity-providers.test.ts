import { afterAll, beforeAll } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { brokersSuite } from '../../support/identity/brokers-suite.ts';
import { providersSuite } from '../../support/identity/providers-suite.ts';
import { DIRECTORY, type Slapd, startSlapd } from '../../support/identity/slapd.ts';
import { startKeycloak, type TestKeycloak } from '../../support/service/keycloak.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

let keycloak: TestKeycloak;
let postgres: TestPostgres;
let slapd: Slapd;
let database: Database & { readonly name: string };
beforeAll(async () => {
  slapd = await startSlapd(DIRECTORY);
  [keycloak, postgres] = await Promise.all([startKeycloak(slapd.authority), startPostgres()]);
  database = await postgres.connect();
});
afterAll(async () => {
  await database?.close();
  await Promise.all([keycloak?.stop(), postgres?.stop(), slapd?.stop()]);
});

/* The short form, of directories alone, is in test/integration/constructs/keycloak.test.ts. */
providersSuite(() => ({ keycloak, database, slapd, databaseEnv: postgres.env(database.name) }), { long: true });
brokersSuite(() => ({ keycloak, database, slapd, databaseEnv: postgres.env(database.name) }));
