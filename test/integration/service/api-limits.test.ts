import { MAX_JOB_TEXT_BYTES, platformConfig } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import {
  type Answer,
  startControlApi,
  startIssuer,
  TEST_CONFIG,
  type TestApi,
  type TestIssuer,
} from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

/* Bounds on what one request may store, over a real PostgreSQL. */

const QUEUE = { queuedPerUser: 3, queuedPerProject: 4 };
const NUL = '\0';

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let api: TestApi;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  const shared = { name: 'one', members: [{ user: 'alice' }, { user: 'bob' }, { user: 'rita' }] };
  api = await startControlApi(
    database,
    issuer,
    platformConfig.parse({
      ...TEST_CONFIG,
      jobs: QUEUE,
      organizations: [{ name: 'acme', projects: [shared, { ...shared, name: 'two' }] }],
    }),
  );
});
afterAll(async () => {
  await api?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});

const FLAT = { preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', image: 'ubuntu:24.04' };
const run = (facts: Readonly<Record<string, unknown>> = {}, user = 'alice'): Promise<Answer> =>
  api.request(user, 'POST', '/jobs?from_preset', { ...FLAT, ...facts });
const endAll = async (): Promise<void> => {
  await database.db.updateTable('jobs').set({ phase: 'gone', status: 'cancelled' }).execute();
};

/** A request whose bytes are as they are given, past any client's tidying. */
async function send(method: string, path: string, body?: Uint8Array, headers: Readonly<Record<string, string>> = {}) {
  const answer = await fetch(`${api.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${await issuer.token('alice')}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as { readonly error: string; readonly id?: string } };
}

describe('the texts of one job', () => {
  const variables = (count: number, size: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x'.repeat(size)]));

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['the environment', { env: variables(9, 100_000) }, /^env: the texts of one job are at most 256 KiB together/],
    ['one variable', { env: { BIG: 'x'.repeat(131_070) } }, /^env\.BIG: a variable with its name is at most 131071/],
    ['one variable, in bytes and not in letters', { env: { BIG: 'ä'.repeat(70_000) } }, /^env\.BIG: .*131071 bytes/],
    ['the command', { command: 'x'.repeat(131_072) }, /^command: .*131071 bytes/],
    [
      'several together',
      { command: 'x'.repeat(120_000), entrypoint: 'x'.repeat(120_001), env: variables(1, 30_000) },
      /^entrypoint: the texts of one job/,
    ],
  ])('are bounded: %s', async (_what, facts, message) => {
    const answer = await run(facts);
    expect([answer.status, answer.json.error]).toEqual([400, expect.stringMatching(message)]);
  });

  test('are bounded in the nested form, too, with its own path', async () => {
    const container = { image: 'x', resources: { cpu: 0.1, memory: 2 ** 20 }, env: variables(9, 100_000) };
    const answer = await api.request('alice', 'POST', '/jobs', { project_name: 'one', container });
    expect(answer.json.error).toMatch(/^container\.env: the texts of one job/);
  });

  test('may be as long as the bound', async () => {
    const rest = MAX_JOB_TEXT_BYTES - FLAT.image.length - 2 * (100_000 + 2);
    const answer = await run({ env: { V0: 'x'.repeat(100_000), V1: 'x'.repeat(100_000), V: 'x'.repeat(rest - 1) } });
    expect(answer.status).toBe(202);
    await endAll();
  });
});

describe('jobs that wait', () => {
  test('are bounded for a user over all projects, also where many come at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => run({ project_name: index % 2 === 0 ? 'one' : 'two' })),
    );
    expect(answers.filter(({ status }) => status === 202).length).toBe(QUEUE.queuedPerUser);
    const refused = answers.find(({ status }) => status !== 202);
    expect([refused?.status, refused?.json.code, refused?.json.error]).toEqual([
      400,
      'ERR_QUOTA_EXCEEDED',
      expect.stringMatching(/^alice has 3 waiting jobs, the most at once; .*jobs\.queuedPerUser in delos\.yaml$/),
    ]);
    await endAll();
  });

  test('are bounded for a project over all users', async () => {
    const users = ['alice', 'alice', 'bob', 'bob', 'rita'];
    const answers: Answer[] = [];
    for (const user of users) answers.push(await run({}, user));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 400]);
    expect(answers.at(-1)?.json.error).toMatch(/^project acme\/one has 4 waiting jobs.*; .*jobs\.queuedPerProject/);
    await endAll();
  });

  test('leave room again when they have ended', async () => {
    for (let index = 0; index < QUEUE.queuedPerUser; index += 1) expect((await run()).status).toBe(202);
    expect((await run()).status).toBe(400);
    await endAll();
    expect((await run()).status).toBe(202);
    await endAll();
  });
});

describe('an idempotency key', () => {
  const post = async (key: string): ReturnType<typeof send> =>
    send('POST', '/api/v1/jobs?from_preset', Buffer.from(JSON.stringify(FLAT)), { 'idempotency-key': key });

  test('of 200 characters is taken whole: two that differ in the last one make two jobs', async () => {
    const [a, b] = [await post(`${'k'.repeat(199)}a`), await post(`${'k'.repeat(199)}b`)];
    expect([a.status, b.status]).toEqual([202, 202]);
    expect(a.body.id).not.toBe(b.body.id);
    await endAll();
  });

  test.each([['k'.repeat(201)], ['k\xe4']])('%j is refused, and the header is named', async (key) => {
    const answer = await post(key);
    expect([answer.status, answer.body.error]).toEqual([
      400,
      expect.stringMatching(/^Idempotency-Key: expected at most 200/),
    ]);
  });
});

describe('text that PostgreSQL cannot hold', () => {
  const json = (facts: Readonly<Record<string, unknown>>): Uint8Array =>
    Buffer.from(JSON.stringify({ ...FLAT, ...facts }));
  const broken = Buffer.from(JSON.stringify({ ...FLAT, description: '@' }).replace('@', '\xff'), 'latin1');

  test.each<[string, Uint8Array, RegExp]>([
    ['a NUL', json({ description: `a${NUL}` }), /^description: must not hold a NUL/],
    ['half of a surrogate pair', json({ env: { A: '\ud800' } }), /^env\.A: .*surrogate/],
    ['the same in a tag', json({ tags: ['\udc00'] }), /^tags\.0: .*surrogate/],
    ['the same in a name of a variable', json({ env: { '\ud800': 'x' } }), /^env: .*surrogate/],
    ['a byte that is not UTF-8', broken, /^body: the text is not UTF-8/],
  ])('in a body is refused, and the field is named: %s', async (_what, body, message) => {
    const answer = await send('POST', '/api/v1/jobs?from_preset', body);
    expect([answer.status, answer.body.error]).toEqual([400, expect.stringMatching(message)]);
  });

  const ID = 'job-00000000-0000-4000-8000-000000000000';
  const BAD = ['%ff', '%00', '%ed%a0%80', 'a%00b', '%C3%28'];
  const paths = (bad: string): readonly (readonly [string, string])[] => [
    ['GET', `/api/v1/jobs/${bad}`],
    ['DELETE', `/api/v1/jobs/${bad}`],
    ['POST', `/api/v1/jobs/${bad}/kill`],
    ['PUT', `/api/v1/jobs/${bad}/max_run_time_minutes`],
    ['GET', `/api/v1/users/${bad}/permissions`],
    ['GET', `/apis/admin/v1/clusters/default/orgs/${bad}/users`],
    ['GET', `/apis/admin/v1/clusters/default/projects/${bad}/users`],
    ['GET', `/api/v1/jobs/${ID}?x=${bad}`],
    ['GET', `/api/v1/users/alice/permissions?uri=${bad}`],
    ...['name', 'owner', 'tag', 'cluster_name', 'org_name', 'project_name', 'status', 'since', 'limit', 'x'].map(
      (key) => ['GET', `/api/v1/jobs?${key}=${bad}`] as const,
    ),
    ['POST', `/api/v1/jobs?from_preset=${bad}`],
    ['GET', `/api/v1/jobs?${bad}=x`],
  ];

  test.each(BAD.flatMap((bad) => paths(bad)))('in a path or a query is refused: %s %s', async (method, path) => {
    const body = method === 'POST' || method === 'PUT' ? json({}) : undefined;
    const answer = await send(method, path, body);
    expect([answer.status, typeof answer.body.error]).toEqual([400, 'string']);
  });
});
