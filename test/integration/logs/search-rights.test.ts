import { LOG_SEARCH, type PlatformConfig, platformConfig } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeOld } from '../../../runtime/service/src/api/resources/log-search/retention.ts';
import { victoriaLogs } from '../../../runtime/service/src/collector/search/victoria-logs.ts';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { type TestVictoriaLogs, testVictoriaLogs } from '../../support/logs/victoria-logs.ts';
import {
  startControlApi,
  startIssuer,
  TEST_CONFIG,
  type TestApi,
  type TestIssuer,
} from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/* Who finds which lines of jobs, through the API, in the real VictoriaLogs. */

const DAY_MS = 86_400_000;
/** Project `tight` keeps its logs for two days. */
const AFTER: PlatformConfig = {
  ...TEST_CONFIG,
  organizations: TEST_CONFIG.organizations.map((org) => ({
    ...org,
    projects: org.projects.map((project) =>
      project.name === 'tight' ? { ...project, logs: { ...project.logs, keepDays: 2 } } : project,
    ),
  })),
};
/** With a project that is taken out later. */
const BEFORE: PlatformConfig = platformConfig.parse({
  organizations: [{ name: 'former', projects: [{ name: 'gone' }] }],
});
const CONFIG: PlatformConfig = { ...AFTER, organizations: [...AFTER.organizations, ...BEFORE.organizations] };
const JOBS = {
  'acme/one': 'job-00000000-0000-4000-8000-000000000001',
  'acme/tight': 'job-00000000-0000-4000-8000-000000000002',
  'other/hidden': 'job-00000000-0000-4000-8000-000000000003',
  'former/gone': 'job-00000000-0000-4000-8000-000000000004',
} as const;

let store: TestVictoriaLogs;
let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let api: TestApi;

beforeAll(async () => {
  store = await testVictoriaLogs();
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  api = await startControlApi(database, issuer, CONFIG, undefined, { logSearchUrl: store.url });
  const lines = Object.entries(JOBS).flatMap(([name, job]) => {
    const [organization = '', project = ''] = name.split('/');
    const pod = { node: 'n', namespace: `delos-p-${project}`, pod: job, pod_uid: job, container: 'main' };
    const labels = { ...pod, job, organization, project, user: 'alice' };
    return [0, 3, 5].map((days) => ({
      time: new Date(Date.now() - days * DAY_MS).toISOString(),
      text: `needle of ${name}, ${days} days old`,
      output: 'stdout' as const,
      labels,
    }));
  });
  const platform = { node: 'n', namespace: 'delos', pod: 'p', pod_uid: 'p', container: 'c', service: 'control-api' };
  await victoriaLogs({ url: store.url }).send([
    ...lines,
    { time: new Date().toISOString(), text: 'needle of the platform', output: 'stderr', labels: platform },
  ]);
  await until('all is found', 30, async () => ((await store.query('needle')).length === 13 ? true : undefined));
});
afterAll(async () => {
  await api?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
  await store?.stop();
});

const PATH = LOG_SEARCH.replace('/api/v1', '');
const search = async (user: string, more: Readonly<Record<string, string>> = {}) =>
  api.request(user, 'GET', `${PATH}?${new URLSearchParams({ search: 'NEEDLE', ...more })}`);
const texts = async (user: string, more: Readonly<Record<string, string>> = {}): Promise<readonly string[]> =>
  (await search(user, more)).json.lines.map(({ text }: { text: string }) => text);

describe('lines are found', () => {
  test('with whose they are', async () => {
    const { status, json } = await search('rita');
    expect(status).toBe(200);
    expect(json).toEqual({
      lines: [
        {
          time: expect.stringMatching(/^\d{4}-/),
          text: 'needle of acme/one, 0 days old',
          output: 'stdout',
          job: JOBS['acme/one'],
          org_name: 'acme',
          project_name: 'one',
          owner: 'alice',
        },
      ],
      cut: false,
    });
  });

  test.each([
    ['a member, of the projects with a role', 'alice', ['acme/one', 'acme/tight']],
    ['a reader of one project, of that one', 'rita', ['acme/one']],
    ['somebody of another organization, of theirs', 'bob', ['other/hidden']],
    ['somebody without a project, of none', 'noel', []],
    ['the administrator, of all there are', 'admin', ['acme/one', 'acme/tight', 'former/gone', 'other/hidden']],
  ])('by %s', async (_who, user, projects) => {
    expect((await texts(user)).toSorted()).toEqual(projects.map((name) => `needle of ${name}, 0 days old`));
  });

  test('of a time, of a project, of a job, and the newest first', async () => {
    expect(await texts('alice', { since: '4d', project_name: 'one' })).toEqual([
      'needle of acme/one, 3 days old',
      'needle of acme/one, 0 days old',
    ]);
    expect(await texts('alice', { since: '4d', job: JOBS['acme/one'], limit: '1' })).toEqual([
      'needle of acme/one, 0 days old',
    ]);
  });
});

describe('no other project’s line is found', () => {
  const ATTACKS = [
    'needle" or organization:="other',
    'needle") or (organization:="other" project:="hidden") or ("',
    'needle | union (*)',
    '.*") or _msg:~"',
    'needle\\',
    'needle\u0000',
    '*',
    "needle' or `",
    '| delete _stream_id',
  ];
  test.each(
    ATTACKS.flatMap((text) => ['search', 'org_name', 'project_name', 'owner', 'since'].map((key) => [key, text])),
  )('by %s=%j', async (key, text) => {
    const { status, text: body } = await search('rita', { [key ?? '']: text ?? '' });
    expect([200, 400]).toContain(status);
    // What is refused is told in the asker's own words.
    if (status === 200) expect(body).not.toMatch(/hidden|tight|gone|platform/);
  });

  test('by the name of its project or of its job', async () => {
    expect(await texts('rita', { org_name: 'other', project_name: 'hidden' })).toEqual([]);
    expect(await texts('rita', { job: JOBS['other/hidden'] })).toEqual([]);
  });

  test('without a token', async () => {
    expect((await fetch(`${api.url}${LOG_SEARCH}?search=needle`)).status).toBe(401);
  });
});

test('a project keeps its lines for as many days as it says, one that was retired two days ago none, others for the store’s', async () => {
  await database.tx((tx) => applyConfig(tx, AFTER, 'default'));
  await database.tx(async (tx) => {
    const quota = JSON.stringify({});
    await tx.insertInto('organizations').values({ name: 'former', quota }).execute();
    const gone = { org: 'former', name: 'gone', quota, namespace: 'job-former-gone', retired: true };
    const retiredAt = new Date(Date.now() - 2 * DAY_MS);
    await tx
      .insertInto('projects')
      .values({ ...gone, retired_at: retiredAt })
      .execute();
  });
  expect(await removeOld(api.deps)).toBe(2);
  const left = (name: string): readonly string[] => [0, 3, 5].map((days) => `needle of ${name}, ${days} days old`);
  const expected = [
    'needle of the platform',
    ...left('acme/one'),
    ...left('other/hidden'),
    'needle of acme/tight, 0 days old',
  ].toSorted();
  await until('the others are gone', 60, async (last) => {
    const there = (await store.query('needle')).map(({ _msg = '' }) => _msg).toSorted();
    last(there);
    return there.length === expected.length ? true : undefined;
  });
  expect((await store.query('needle')).map(({ _msg = '' }) => _msg).toSorted()).toEqual(expected);
  expect(await removeOld(api.deps)).toBe(0);
});

test('a store that is away is told as such', async () => {
  await store.kill();
  expect(await search('rita')).toMatchObject({
    status: 503,
    json: { error: expect.stringContaining('does not answer') },
  });
  await store.up();
});
