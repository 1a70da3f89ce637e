import { Writable } from 'node:stream';
import type { Desire, JobDesire } from '@delos/core';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { withSecretValues } from '../../../../runtime/service/src/api/agents/secret-values.ts';
import type { Database } from '../../../../runtime/service/src/db/database.ts';
import { desiredJobs } from '../../../../runtime/service/src/db/desired-jobs.ts';
import { applyEvent } from '../../../../runtime/service/src/db/jobs-state.ts';
import type { LiveSecret } from '../../../../runtime/service/src/live-secret.ts';
import {
  type Answer,
  startControlApi,
  startIssuer,
  type TestApi,
  type TestIssuer,
} from '../../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../../support/service/postgres.ts';

/* The public API of secrets over a real PostgreSQL. What an agent is told is read where it would be sent. */

export const MIB = 2 ** 20;
export const FIRST = 'first-key-of-secrets-0123456789';
export const SECOND = 'second-key-of-secrets-0123456789';
export const IN_ONE = 'org_name=acme&project_name=one';

/** The API for all tests of a file, without jobs and secrets after each of them. Make it at the top of the file. */
export class SecretApi {
  /** The platform's key, as its files say it now: what is shown, then what is accepted too. */
  accepted: readonly [string, ...string[]] = [FIRST];
  /** All that the control API has logged. */
  logged = '';
  readonly keys: LiveSecret = { current: () => this.accepted[0], accepted: () => this.accepted };
  #postgres: TestPostgres | undefined;
  #database: (Database & { readonly name: string }) | undefined;
  #issuer: TestIssuer | undefined;
  #api: TestApi | undefined;

  constructor() {
    beforeAll(() => this.#start());
    afterAll(() => this.#stop());
    afterEach(async () => {
      this.accepted = [FIRST];
      await this.database.db.deleteFrom('jobs').execute();
      await this.database.db.deleteFrom('secrets').execute();
    });
  }

  get api(): TestApi {
    return there(this.#api);
  }
  get database(): Database & { readonly name: string } {
    return there(this.#database);
  }
  get issuer(): TestIssuer {
    return there(this.#issuer);
  }
  get postgresEnv(): Readonly<Record<string, string>> {
    return there(this.#postgres).env(this.database.name);
  }

  add(key: string, value: string | Buffer, given: object = {}, user = 'alice'): Promise<Answer> {
    return this.api.request(user, 'POST', '/secrets', {
      key,
      value: Buffer.from(value).toString('base64'),
      org_name: 'acme',
      project_name: 'one',
      ...given,
    });
  }

  async list(user = 'alice', query = IN_ONE): Promise<readonly { readonly key: string }[]> {
    return (await this.api.request(user, 'GET', `/secrets?${query}`)).json;
  }

  remove(key: string, user = 'alice'): Promise<Answer> {
    return this.api.request(user, 'DELETE', `/secrets/${key}?${IN_ONE}`);
  }

  /** A job. */
  run(given: object, user = 'alice', project = 'one'): Promise<Answer> {
    return this.api.request(user, 'POST', '/jobs?from_preset', {
      preset_name: 'cpu-small',
      image: 'ubuntu:24.04',
      org_name: 'acme',
      project_name: project,
      pass_config: false,
      ...given,
    });
  }

  /** As the scheduler does it. */
  async admit(id: string): Promise<void> {
    const event = { type: 'admit', pool: 'default', node: 'node-1', description: '' } as const;
    await this.database.tx((tx) => applyEvent(tx, id, event));
  }

  /** What is desired of a job, as its row says it, and as the agent is told. */
  async desired(id: string): Promise<{ readonly kept: JobDesire; readonly sent: Desire }> {
    for await (const [kept] of desiredJobs.find(this.database.db, 'default', [id])) {
      if (kept !== undefined) return { kept, sent: await withSecretValues(this.api.deps, 'default', kept) };
    }
    throw new Error('nothing is desired of it');
  }

  /** The values that the agent is told, and why it is told none. */
  async values(id: string): Promise<readonly string[]> {
    const { sent } = await this.desired(id);
    if (sent.kind !== 'job') return [];
    const { secretValues = [] } = sent.spec;
    return secretValues.map((held) => ('value' in held ? Buffer.from(held.value, 'base64').toString() : held.problem));
  }

  async #start(): Promise<void> {
    const postgres = await startPostgres();
    this.#postgres = postgres;
    this.#database = await postgres.connect();
    this.#issuer = await startIssuer();
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.logged += chunk.toString();
        done();
      },
    });
    const log = pino({ level: 'trace' }, sink);
    const more = { secretsKey: this.keys, log };
    this.#api = await startControlApi(this.#database, this.#issuer, undefined, 'default', more);
  }

  async #stop(): Promise<void> {
    await this.#api?.stop();
    await this.#issuer?.stop();
    await this.#database?.close();
    await this.#postgres?.stop();
  }
}

/** The address of a secret, as the client sends it. */
export const uri = (key: string, project = 'acme/one'): string => `secret://default/${project}/${key}`;

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not started yet');
  return value;
}
