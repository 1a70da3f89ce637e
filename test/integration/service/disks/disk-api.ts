import { type DiskDesire, platformConfig } from '@delos/core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { applyConfig } from '../../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../../runtime/service/src/db/database.ts';
import { desiredDisks } from '../../../../runtime/service/src/db/desired-disks.ts';
import { recordClaim } from '../../../../runtime/service/src/db/disks-state.ts';
import type { JobEvent } from '../../../../runtime/service/src/db/job-state.ts';
import { applyEvent } from '../../../../runtime/service/src/db/jobs-state.ts';
import {
  type Answer,
  startControlApi,
  startIssuer,
  TEST_CONFIG,
  type TestApi,
} from '../../../support/service/control-api.ts';
import { startPostgres } from '../../../support/service/postgres.ts';

/* The public API of disks over a real PostgreSQL. What an agent would do is done by hand. */

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** acme/one has alice, noel and the reader rita; acme/small has alice alone; other/hidden has bob. */
export const DISK_CONFIG = platformConfig.parse({
  ...TEST_CONFIG,
  disks: { maxSize: '100Gi', perProject: 20 },
  organizations: [
    {
      name: 'acme',
      quota: { disks: '12Gi' },
      projects: [
        { name: 'one', members: [{ user: 'alice' }, { user: 'noel' }, { user: 'rita', role: 'reader' }] },
        { name: 'small', quota: { disks: '2Gi' }, members: [{ user: 'alice' }] },
      ],
    },
    { name: 'other', projects: [{ name: 'hidden', members: [{ user: 'bob' }] }] },
  ],
});

const IN_ONE = 'org_name=acme&project_name=one';

export interface DiskApi {
  readonly api: TestApi;
  readonly database: Database;
  readonly make: (given?: object, user?: string) => Promise<Answer>;
  /** The id of a new disk. */
  readonly made: (given?: object) => Promise<string>;
  readonly get: (disk: string, user?: string) => Promise<Answer>;
  readonly remove: (disk: string, user?: string) => Promise<Answer>;
  readonly list: (user?: string, query?: string) => Promise<readonly { readonly id: string }[]>;
  /** A job in acme/one. */
  readonly run: (mounts: readonly object[], user?: string) => Promise<Answer>;
  /** As if the agent had seen its claim. */
  readonly ready: (id: string) => Promise<void>;
  readonly happens: (job: string, event: JobEvent) => Promise<unknown>;
  readonly desired: (id: string) => Promise<DiskDesire | undefined>;
}

interface Started extends DiskApi {
  /** No job and no disk is left. */
  readonly clear: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** The API of disks for all tests of a file, empty after each of them. Call it at the top of the file. */
export function disksOfFile(): DiskApi {
  let started: Started;
  beforeAll(async () => {
    started = await startDiskApi();
  });
  afterAll(async () => {
    await started?.stop();
  });
  afterEach(async () => {
    await started.clear();
  });
  return {
    get api() {
      return started.api;
    },
    get database() {
      return started.database;
    },
    make: (...args) => started.make(...args),
    made: (...args) => started.made(...args),
    get: (...args) => started.get(...args),
    remove: (...args) => started.remove(...args),
    list: (...args) => started.list(...args),
    run: (...args) => started.run(...args),
    ready: (...args) => started.ready(...args),
    happens: (...args) => started.happens(...args),
    desired: (...args) => started.desired(...args),
  };
}

async function startDiskApi(): Promise<Started> {
  const postgres = await startPostgres();
  const database = await postgres.connect();
  const issuer = await startIssuer();
  const api = await startControlApi(database, issuer, DISK_CONFIG);
  const make: DiskApi['make'] = (given = {}, user = 'alice') =>
    api.request(user, 'POST', '/disk', {
      storage: 100 * MIB,
      life_span: null,
      name: null,
      org_name: 'acme',
      project_name: 'one',
      ...given,
    });
  return {
    api,
    database,
    make,
    made: async (given) => {
      const { status, json, text } = await make(given);
      if (status !== 201) throw new Error(text);
      return json.id;
    },
    get: (disk, user = 'alice') => api.request(user, 'GET', `/disk/${disk}?${IN_ONE}`),
    remove: (disk, user = 'alice') => api.request(user, 'DELETE', `/disk/${disk}?${IN_ONE}`),
    list: async (user = 'alice', query = IN_ONE) => (await api.request(user, 'GET', `/disk?${query}`)).json,
    run: (mounts, user = 'alice') =>
      api.request(user, 'POST', '/jobs?from_preset', {
        preset_name: 'cpu-small',
        image: 'ubuntu:24.04',
        org_name: 'acme',
        project_name: 'one',
        pass_config: false,
        disk_volumes: mounts,
      }),
    ready: (id) =>
      database.tx((tx) =>
        recordClaim(tx, id, { claimUid: 'u-1', phase: 'ready', description: null, nodes: ['node-1'], usedBytes: null }),
      ),
    happens: (job, event) => database.tx((tx) => applyEvent(tx, job, event)),
    desired: async (id) => {
      for await (const [desire] of desiredDisks.find(database.db, 'default', [id])) return desire;
      return undefined;
    },
    clear: async () => {
      await database.tx((tx) => applyConfig(tx, DISK_CONFIG, 'default'));
      await database.db.deleteFrom('jobs').execute();
      await database.db.deleteFrom('disks').execute();
    },
    stop: async () => {
      await api.stop();
      await issuer.stop();
      await database.close();
      await postgres.stop();
    },
  };
}

/** One mount of a request. */
export const mount = (disk: string, given: object = {}): object => ({
  src_disk_uri: `disk://default/acme/one/${disk}`,
  dst_path: '/mnt',
  read_only: false,
  ...given,
});
