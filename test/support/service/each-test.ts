import type { PlatformConfig } from '@delos/core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from './control-api.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import { type SchedulerWorld, schedulerWorld } from './scheduler-world.ts';

/*
 * Services that the tests of a file stand on: one PostgreSQL and one issuer of tokens for all of them, and what is new for
 * each test. Call one of these at the top of the file.
 */

export interface EachTest {
  readonly postgres: TestPostgres;
  readonly database: Database & { readonly name: string };
  readonly api: TestApi;
}

/** A database with the public API over it, for each test. */
export function apiForEachTest(set: (made: EachTest) => void, config?: PlatformConfig): void {
  const shared = forAllTests();
  let made: EachTest;
  beforeEach(async () => {
    const { postgres, issuer } = shared();
    const database = await postgres.connect();
    await database.notifications.start();
    made = { postgres, database, api: await startControlApi(database, issuer, config) };
    set(made);
  });
  afterEach(async () => {
    await made.api.stop();
    await made.database.close();
  });
}

/** A scheduler that can be killed, with database and API, for each test. */
export function worldForEachTest(set: (world: SchedulerWorld) => void, config: PlatformConfig): void {
  const shared = forAllTests();
  let world: SchedulerWorld;
  beforeEach(async () => {
    const { postgres, issuer } = shared();
    world = await schedulerWorld(postgres, issuer, config);
    set(world);
  });
  afterEach(() => world.stop());
}

function forAllTests(): () => { readonly postgres: TestPostgres; readonly issuer: TestIssuer } {
  let postgres: TestPostgres;
  let issuer: TestIssuer;
  beforeAll(async () => {
    postgres = await startPostgres();
    issuer = await startIssuer();
  });
  afterAll(async () => {
    await issuer?.stop();
    await postgres?.stop();
  });
  return () => ({ postgres, issuer });
}
