import { BODY_TOO_LARGE, MAX_BODY_BYTES } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { absentAt } from '../../../runtime/service/src/api/known-services.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent, recordObservation, recordWaiting } from '../../../runtime/service/src/db/jobs-state.ts';
import {
  type Answer,
  startApiOnPostgres,
  startIssuer,
  type TestApi,
  type TestIssuer,
} from '../../support/service/control-api.ts';
import { observation } from '../../support/service/observer.ts';

let served: Awaited<ReturnType<typeof startApiOnPostgres>>;
let api: TestApi;
let issuer: TestIssuer;
let database: Database;

beforeAll(async () => {
  served = await startApiOnPostgres();
  ({ api, issuer, database } = served);
});

afterAll(() => served?.stop());

const FLAT = {
  preset_name: 'cpu-small',
  org_name: 'acme',
  project_name: 'one',
  image: 'ubuntu:24.04',
  pass_config: false,
};
const run = (facts: Readonly<Record<string, unknown>> = {}, user = 'alice'): Promise<Answer> =>
  api.request(user, 'POST', '/jobs?from_preset', { ...FLAT, ...facts });
const kill = async (id: string): Promise<number> => (await api.request('alice', 'DELETE', `/jobs/${id}`)).status;

describe('tokens', () => {
  const get = async (token: string | undefined, path = '/jobs'): Promise<Answer> => {
    const response = await fetch(`${api.url}/api/v1${path}`, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
  };

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['an expired token', { exp: 1_700_000_000 }, /^the token expired at 2023-11-14T22:13:20.000Z; log in again/],
    ['another issuer', { iss: 'http://elsewhere/realms/delos' }, /^the token's claim "iss" is not accepted/],
    ['a token for another client', { azp: 'grafana' }, /^the token was made for "grafana", not for apolo/],
    ['a token without identity', { identity: undefined }, /^the token has no valid claim "identity"/],
    ['a token without subject', { sub: undefined }, /^the token has no valid claim "sub"/],
    ['an ID token', { typ: 'ID' }, /^the token is of type "ID", and not an access token/],
    ['a logout token', { typ: 'Logout' }, /^the token is of type "Logout", and not an access token/],
    ['a token of no type', { typ: undefined }, /^the token is of type "none", and not an access token/],
    ['a token for nobody', { aud: undefined }, /^the token was made for "nobody", not for apolo/],
    [
      'a token for others',
      { aud: ['grafana', 'mlflow'] },
      /^the token was made for \["grafana","mlflow"\], not for apolo/,
    ],
  ])('%s is refused with what to do', async (_name, claims, message) => {
    const answer = await get(await issuer.token('alice', claims));
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({ error: expect.stringMatching(message), code: 'ERR_UNAUTHENTICATED' });
    expect(answer.json.error).not.toContain('\n');
  });

  test('a token of a service that people log in to by a browser opens whose metrics they may see, and nothing else', async () => {
    const ofGrafana = await issuer.token('alice', { azp: 'grafana' });
    const { status, json } = await get(ofGrafana, '/metrics-rights');
    expect({ status, json }).toEqual({
      status: 200,
      json: { everything: false, projects: ['acme/one', 'acme/open', 'acme/tight'] },
    });
    for (const path of ['/jobs', '/disk']) expect((await get(ofGrafana, path)).status).toBe(401);
    const ofAnother = await issuer.token('alice', { azp: 'mlflow' });
    expect((await get(ofAnother, '/metrics-rights')).status).toBe(401);
    expect((await get(undefined, '/metrics-rights')).status).toBe(401);
    expect((await get(await issuer.token('admin'), '/metrics-rights')).json).toEqual({
      everything: true,
      projects: [],
    });
  });

  test('a signature of another key is refused', async () => {
    const foreign = await startIssuer();
    const token = await foreign.token('alice', { iss: issuer.issuer });
    await foreign.stop();
    expect((await get(token)).json.error).toMatch(/not one that this platform issued/);
  });

  test('no token, and what is no token, are refused', async () => {
    expect((await get(undefined)).status).toBe(401);
    expect((await get('nonsense')).status).toBe(401);
  });

  test('a revoked token is refused, its neighbour is not', async () => {
    const values = (jti: string, revoked: boolean) => ({
      jti,
      user_name: 'alice',
      issued_by: 'admin',
      expires_at: new Date(Date.now() + 1e6),
      revoked_at: revoked ? new Date() : null,
    });
    await database.db
      .insertInto('issued_tokens')
      .values([values('bad', true), values('good', false)])
      .execute();
    expect((await get(await issuer.token('alice', { jti: 'bad' }))).json.error).toMatch(/revoked/);
    expect((await get(await issuer.token('alice', { jti: 'good' }))).status).toBe(200);
  });

  test('/config answers an unusable token by a plain refusal: any other status is a crash to the client', async () => {
    const answer = await get(await issuer.token('alice', { exp: 1 }), '/config');
    expect([answer.status, answer.json.authorized, answer.json.clusters]).toEqual([200, false, undefined]);
  });
});

describe('/config', () => {
  test('an anonymous one has no clusters', async () => {
    const response = await fetch(`${api.url}/api/v1/config`);
    const body = await response.json();
    expect(response.status).toBe(200);
    expect(Object.keys(body as object)).toEqual([
      'auth_url',
      'token_url',
      'logout_url',
      'client_id',
      'audience',
      'callback_urls',
      'success_redirect_url',
      'headless_callback_url',
    ]);
  });

  test('has what the client needs, in the order of the configuration, the same bytes each time', async () => {
    const [first, second] = await Promise.all([
      api.request('alice', 'GET', '/config'),
      api.request('alice', 'GET', '/config'),
    ]);
    expect(first.text).toBe(second.text);
    const [cluster] = first.json.clusters;
    expect(cluster.orgs).toEqual(['acme']);
    expect(cluster.resource_presets.map(({ name }: { name: string }) => name)).toEqual([
      'cpu-small',
      'cpu-large',
      'gpu',
    ]);
    expect(cluster.resource_presets[2]).toMatchObject({
      nvidia_gpu: { count: 1, model: 'H100' },
      available_resource_pool_names: ['gpus'],
    });
    const urls = ['registry', 'storage', 'users', 'monitoring', 'secrets', 'disks', 'buckets'];
    for (const name of urls) expect(new URL(cluster[`${name}_url`]).search).toBe('');
    expect(first.json.projects).toEqual(
      ['one', 'tight', 'open'].map((name) => ({ name, cluster_name: 'default', org_name: 'acme', role: 'writer' })),
    );
  });

  test('who is in no project has no cluster', async () => {
    expect((await api.request('noel', 'GET', '/config')).json).toMatchObject({ clusters: [], projects: [] });
  });

  test('the administrator is in all projects', async () => {
    const { json } = await api.request('admin', 'GET', '/config');
    expect(json.projects.map(({ name }: { name: string }) => name)).toEqual(['one', 'tight', 'open', 'hidden']);
  });

  test('quota calls of `config show` are answered for each member', async () => {
    const user = await api.request(
      'alice',
      'GET',
      '/apis/admin/v1/clusters/default/orgs/acme/users/alice?with_user_info=false',
    );
    expect(user.json).toMatchObject({ user_name: 'alice', quota: {}, balance: { spent_credits: '0' } });
    const org = await api.request('alice', 'GET', '/apis/admin/v1/clusters/default/orgs/acme');
    expect(org.json).toMatchObject({ org_name: 'acme', maintenance: false });
    expect((await api.request('alice', 'GET', '/apis/admin/v1/clusters/default/orgs/other')).status).toBe(404);
  });
});

describe('a new job', () => {
  test('is a row before anything else: queued, with its history, its environment and its id', async () => {
    const { status, json } = await run({
      name: 'first',
      tags: ['b', 'a', 'b'],
      description: 'd',
      command: 'sh -c \'echo "a b"\'',
      env: { A: 'b', NEURO_JOB_ID: 'forged' },
      http: { port: 80, requires_auth: true },
      resources: { shm: true },
      restart_policy: 'on-failure',
      priority: 'high',
      max_run_time_minutes: 60,
      schedule_timeout: 30.5,
    });
    expect(status).toBe(202);
    expect(json).toMatchObject({
      name: 'first',
      owner: 'alice',
      cluster_name: 'default',
      org_name: 'acme',
      project_name: 'one',
      status: 'pending',
      tags: ['b', 'a'],
      preset_name: 'cpu-small',
      restart_policy: 'on-failure',
      priority: 'high',
      max_run_time_minutes: 60,
      schedule_timeout: 30.5,
      uri: `job://default/acme/one/${json.id}`,
      history: { status: 'pending', reason: 'Creating', restarts: 0, exit_code: null },
      container: {
        image: 'ubuntu:24.04',
        command: 'sh -c \'echo "a b"\'',
        env: { A: 'b', NEURO_JOB_ID: 'forged' },
        resources: { cpu: 0.1, memory: 128 * 2 ** 20, shm: true },
      },
      statuses: [{ status: 'pending', reason: 'Creating' }],
    });
    for (const key of ['http_url', 'http_url_named']) expect(json).not.toHaveProperty(key);
    const row = await database.db.selectFrom('jobs').selectAll().where('id', '=', json.id).executeTakeFirstOrThrow();
    expect(row.spec).toMatchObject({
      command: ['sh', '-c', 'echo "a b"'],
      env: { A: 'b', NEURO_JOB_ID: json.id, APOLO_JOB_ID: json.id },
      httpPort: 80,
      security: 'baseline',
    });
    expect((await api.request('alice', 'GET', '/jobs/first')).json.id).toBe(json.id);
    expect(await kill(json.id)).toBe(204);
  });

  test('may say its resources itself, within a preset', async () => {
    const nested = (cpu: number) => ({
      org_name: 'acme',
      project_name: 'one',
      scheduler_enabled: false,
      container: { image: 'ubuntu', resources: { cpu, memory: 64 * 2 ** 20, shm: false } },
    });
    const { status, json } = await api.request('alice', 'POST', '/jobs', nested(1));
    expect([status, json.preset_name, json.container.resources.cpu]).toEqual([202, 'cpu-large', 1]);
    expect((await api.request('alice', 'POST', '/jobs', nested(100))).json.code).toBe('ERR_UNKNOWN_PRESET');
    await kill(json.id);
  });

  test('with explicit resources is refused for a registry on the node, and its field is named', async () => {
    const container = { image: 'localhost:10248/x', resources: { cpu: 0.1, memory: 64 * 2 ** 20 } };
    const { status, json } = await api.request('alice', 'POST', '/jobs', { container });
    expect(status).toBe(400);
    expect(json.error).toMatch(/^container\.image: images of registry localhost:10248 cannot be used here/);
  });

  test.each<[string, Record<string, unknown>, number, RegExp]>([
    [
      'an unknown preset',
      { preset_name: 'nope' },
      400,
      /no preset is called "nope"; there are: cpu-small, cpu-large, gpu; /,
    ],
    [
      'an image name',
      { image: 'Ubuntu' },
      400,
      /image: "Ubuntu" is not an image name: repository names are lower-case/,
    ],
    ['no image', { image: undefined }, 400, /^image: /],
    [
      'a registry on the node',
      { image: '127.0.0.1:10248/x' },
      400,
      /^image: images of registry 127\.0\.0\.1:10248 cannot be used here: its address is not public; use a public registry/,
    ],
    ['a registry in the cluster', { image: 'postgres.delos.svc:5432/x' }, 400, /^image: images of registry postgres/],
    ['another port of the platform’s registry', { image: 'registry.delos.internal:10250/x' }, 400, /^image: images of/],
    ['a job name', { name: 'Bad_Name' }, 400, /^name: expected 3–40 lower-case/],
    ['a job name like an id', { name: 'job-00000000-a' }, 400, /^name: must not look like a job id/],
    ['a variable name', { env: { '1A': 'x' } }, 400, /^env/],
    ['a passed config', { env: { APOLO_PASSED_CONFIG: 'x' } }, 400, /^env: must not set APOLO_PASSED_CONFIG/],
    ['an open quote', { command: "echo 'a" }, 400, /^command: has a quote \('\) that is not closed/],
    ['a NUL', { command: 'a\0b' }, 400, /^command: must not hold a NUL/],
    ['a relative folder', { working_dir: 'x' }, 400, /^working_dir: expected an absolute path/],
    ['a priority', { priority: 'urgent' }, 400, /^priority: /],
    ['a negative life-span', { max_run_time_minutes: -1 }, 400, /^max_run_time_minutes: /],
    ['another cluster', { cluster_name: 'moon' }, 400, /there is no cluster "moon"; there are: default;/],
    [
      'a foreign project',
      { org_name: 'other', project_name: 'hidden' },
      403,
      /alice is no member of project other\/hidden/,
    ],
    ['a project that is not there', { project_name: 'nope' }, 403, /alice is no member of project acme\/nope/],
    ['a privileged job without the right', { privileged: true }, 403, /project acme\/one may not run privileged jobs/],
    ['volumes', { volumes: [{ src_storage_uri: 'storage://x', dst_path: '/x' }] }, 501, /mount storage \(volumes\)/],
    [
      'more than the quota ever allows',
      { project_name: 'tight', preset_name: 'cpu-large' },
      400,
      /1 cores, and this job needs 2/,
    ],
  ])('is refused for %s, in one line, and nothing is there', async (_name, facts, status, message) => {
    const before = await database.db.selectFrom('jobs').select('id').execute();
    const answer = await run(facts);
    expect(answer.status).toBe(status);
    expect(answer.json.error).toMatch(message);
    expect(answer.json.error).not.toContain('\n');
    expect(await database.db.selectFrom('jobs').select('id').execute()).toEqual(before);
  });

  test('is refused where the request is larger than the API takes', async () => {
    const answer = await run({ description: 'x'.repeat(MAX_BODY_BYTES) });
    expect(answer.status).toBe(413);
    expect(answer.json).toEqual({ error: BODY_TOO_LARGE, code: 'ERR_REQUEST' });
  });

  test('is refused to a reader', async () => {
    expect((await run({}, 'rita')).json.error).toMatch(/rita may only read in project acme\/one/);
  });

  test('may be privileged where the project has the right', async () => {
    const { json } = await run({ project_name: 'open', privileged: true });
    const row = await database.db.selectFrom('jobs').select('spec').where('id', '=', json.id).executeTakeFirstOrThrow();
    expect(row.spec.security).toBe('privileged');
    await kill(json.id);
  });

  test('a name is free again once its job has ended', async () => {
    const first = await run({ name: 'again' });
    const second = await run({ name: 'again' });
    expect([second.status, second.json.error]).toEqual([
      409,
      expect.stringMatching(/a job named "again" is live.*; .*apolo kill again$/),
    ]);
    await kill(first.json.id);
    const third = await run({ name: 'again' });
    expect(third.status).toBe(202);
    expect((await api.request('alice', 'GET', '/jobs/again')).json.id).toBe(third.json.id);
    await kill(third.json.id);
  });

  test('beyond the running jobs of a quota is refused, unless it waits for its seat', async () => {
    const first = await run({ project_name: 'tight' });
    const second = await run({ project_name: 'tight' });
    expect(second.json).toMatchObject({
      error: expect.stringMatching(
        /^the quota of project acme\/tight is 1 job, and it has 1 job already; .*--wait-for-seat$/,
      ),
      code: 'ERR_QUOTA_EXCEEDED',
    });
    const waits = await run({ project_name: 'tight', wait_for_jobs_quota: true });
    expect(waits.status).toBe(202);
    await kill(first.json.id);
    await kill(waits.json.id);
  });

  test('beyond the running jobs of a person in all projects of an organization likewise, until that is raised', async () => {
    const path = '/apis/admin/v1/clusters/default/orgs/acme/users/alice/quota';
    const set = async (jobs: number | undefined) =>
      (await api.request('admin', 'PATCH', path, { quota: { total_running_jobs: jobs } })).json.quota;
    expect(await set(1)).toEqual({ total_running_jobs: 1 });
    const first = await run({ project_name: 'tight' });
    const second = await run({});
    expect(second.json).toMatchObject({
      error: expect.stringMatching(/^the quota of alice in organization acme is 1 job, and it has 1 job already; /),
      code: 'ERR_QUOTA_EXCEEDED',
    });
    const waits = await run({ wait_for_jobs_quota: true });
    expect(waits.status).toBe(202);
    const more = await api.request('admin', 'PATCH', path, { additional_quota: { total_running_jobs: 2 } });
    expect(more.json.quota).toEqual({ total_running_jobs: 3 });
    const third = await run({});
    expect(third.status).toBe(202);
    expect(await set(undefined)).toEqual({});
    for (const { json } of [first, waits, third]) await kill(json.id);
  });

  test('an idempotency key makes one job of many requests, at once or later', async () => {
    const headers = {
      authorization: `Bearer ${await issuer.token('alice')}`,
      'content-type': 'application/json',
      'idempotency-key': 'k1',
    };
    const post = async (): Promise<unknown> => {
      const response = await fetch(`${api.url}/api/v1/jobs?from_preset`, {
        method: 'POST',
        headers,
        body: JSON.stringify(FLAT),
      });
      return ((await response.json()) as { id: unknown }).id;
    };
    const ids = [...(await Promise.all([post(), post(), post(), post()])), await post()];
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^job-/);
    await kill(String(ids[0]));
  });
});

describe('a job', () => {
  test('is not there for who is not in its project', async () => {
    const { json } = await run();
    for (const method of ['GET', 'DELETE']) {
      // 404 is for a container that has ended.
      expect(await api.request('bob', method, `/jobs/${json.id}`)).toMatchObject({
        status: 400,
        json: { code: 'ERR_UNKNOWN_JOB', error: expect.stringMatching(/^there is no job .*; apolo ps --all/) },
      });
    }
    expect((await api.request('rita', 'GET', `/jobs/${json.id}`)).status).toBe(200);
    expect((await api.request('rita', 'DELETE', `/jobs/${json.id}`)).status).toBe(403);
    await kill(json.id);
  });

  test('killed while queued has ended at once, with the times that the client needs', async () => {
    const { json } = await run();
    await kill(json.id);
    const { history } = (await api.request('alice', 'GET', `/jobs/${json.id}`)).json;
    expect(history).toMatchObject({ status: 'cancelled', reason: 'Killed', description: 'killed by alice' });
    expect(history.started_at).toBe(history.finished_at);
    expect(await kill(json.id)).toBe(204);
  });

  test('answered by a stand-in says so with its state, and leaves the description to its user', async () => {
    const { json } = await run({ description: 'mine' });
    await database.db
      .updateTable('jobs')
      .set({ phase: 'admitted', pool: 'default' })
      .where('id', '=', json.id)
      .execute();
    await database.tx((tx) => recordObservation(tx, json.id, observation(json.id, { standIn: 'Debian 12' })));
    const shown = (await api.request('alice', 'GET', `/jobs/${json.id}`)).json;
    expect(shown).toMatchObject({ description: 'mine', status: 'running' });
    expect(shown.history).toMatchObject({
      reason: 'stand-in image: Debian 12',
      description: 'image ubuntu:24.04 is answered by a stand-in: Debian 12',
    });
    expect(shown.statuses.at(-1)).toMatchObject({ status: 'running', reason: 'stand-in image: Debian 12' });
    await kill(json.id);
  });

  test.each([
    ['of its own', { port: 8080, requires_auth: true }, /; port 8080 gets no URL, .*: apolo port-forward reaches it$/],
    ['without login', { port: 80, requires_auth: false }, /; port 80 gets no URL/],
    ['as the client asks for in every job', { port: 80, requires_auth: true }, /^waits for the scheduler$/],
  ])('that asks for an http port %s is told of it at once', async (_name, http, words) => {
    const { json } = await run({ http });
    expect(json.history.description).toMatch(words);
    expect(json.http_url).toBeUndefined();
    await kill(json.id);
  });

  test('gets more time while it lives, not after', async () => {
    const { json } = await run({ max_run_time_minutes: 10 });
    const extend = () =>
      api.request('alice', 'PUT', `/jobs/${json.id}/max_run_time_minutes`, { additional_max_run_time_minutes: 5 });
    expect((await extend()).status).toBe(204);
    expect((await api.request('alice', 'GET', `/jobs/${json.id}`)).json.max_run_time_minutes).toBe(15);
    await kill(json.id);
    expect((await extend()).status).toBe(409);
  });

  test('that waits has a line of history for each new reason, not for each description', async () => {
    const { json } = await run();
    const tell = (reason: string, description: string) =>
      database.tx((tx) => recordWaiting(tx, [{ id: json.id, reason, description }]));
    await tell('NoCapacity', 'one');
    await tell('NoCapacity', 'two');
    await tell('QuotaExhausted', 'three');
    const shown = (await api.request('alice', 'GET', `/jobs/${json.id}`)).json;
    expect(shown.history).toMatchObject({ reason: 'QuotaExhausted', description: 'three' });
    expect(shown.statuses.map(({ reason }: { reason: string }) => reason)).toEqual([
      'Creating',
      'NoCapacity',
      'QuotaExhausted',
    ]);
    await kill(json.id);
    await database.tx((tx) => recordWaiting(tx, [{ id: json.id, reason: 'NoCapacity', description: 'late' }]));
    expect((await api.request('alice', 'GET', `/jobs/${json.id}`)).json.history.reason).toBe('Killed');
  });
});

describe('the list', () => {
  const ids: string[] = [];
  const list = async (query: string, user = 'alice'): Promise<string[]> => {
    const { json } = await api.request(user, 'GET', `/jobs?tag=listed&${query}`);
    return json.jobs.map(({ id }: { id: string }) => ids.indexOf(id));
  };

  beforeAll(async () => {
    for (const [project, tags] of [
      ['one', ['x']],
      ['open', ['x', 'y']],
      ['one', ['y']],
    ] as const) {
      ids.push((await run({ project_name: project, tags: ['listed', ...tags] })).json.id);
    }
    await kill(ids[0] ?? '');
  });

  test.each<[string, readonly number[]]>([
    ['', [0, 1, 2]],
    ['reverse=1', [2, 1, 0]],
    ['reverse=1&limit=2', [2, 1]],
    ['status=pending&status=running', [1, 2]],
    ['status=cancelled', [0]],
    ['project_name=one', [0, 2]],
    ['project_name=one&project_name=open', [0, 1, 2]],
    ['org_name=acme&cluster_name=default', [0, 1, 2]],
    ['org_name=other', []],
    ['cluster_name=moon', []],
    ['tag=x', [0, 1]],
    ['tag=x&tag=y', [1]],
    ['owner=alice', [0, 1, 2]],
    ['owner=bob', []],
    ['name=nope', []],
    ['since=2099-01-01T00:00:00%2B00:00', []],
    ['until=2099-01-01T00:00:00Z&since=2020-01-01T00:00:00Z', [0, 1, 2]],
    ['being_dropped=False&logs_removed=False', [0, 1, 2]],
    ['being_dropped=True', []],
    ['materialized=True', []],
  ])('?%s', async (query, expected) => {
    expect(await list(query)).toEqual(expected);
  });

  test('shows nothing of other projects', async () => {
    expect(await list('', 'bob')).toEqual([]);
    expect(await list('', 'noel')).toEqual([]);
    expect(await list('', 'rita')).toEqual([0, 2]);
    expect(await list('', 'admin')).toEqual([0, 1, 2]);
  });

  test('shows each job as it is now, also one that it has shown before', async () => {
    const { id } = (await run({ tags: ['shown'] })).json;
    const shown = async () => (await api.request('alice', 'GET', '/jobs?tag=shown')).json.jobs;
    const asked = async () => [(await api.request('alice', 'GET', `/jobs/${id}`)).json];
    const without = (jobs: readonly { history: object; total_price_credits: string }[]) =>
      jobs.map(({ total_price_credits: _, history, ...job }) => ({
        ...job,
        history: { ...history, run_time_seconds: 0 },
      }));
    expect(await shown()).toEqual(await asked());
    for (const event of [
      { type: 'admit', pool: 'default', node: 'node-1', description: '' },
      { type: 'observe', observation: observation(id, { phase: 'running', podUid: 'p', nodeName: 'node-1' }) },
      { type: 'stop', status: 'cancelled', reason: 'Killed', description: 'killed' },
    ] as const) {
      await database.tx((tx) => applyEvent(tx, id, event));
      for (const _again of [1, 2]) expect(without(await shown())).toEqual(without(await asked()));
      if (event.type !== 'observe') continue;
      const seconds = async (): Promise<number> => (await shown())[0].history.run_time_seconds;
      const before = await seconds();
      expect(before).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await seconds()).toBeGreaterThan(before);
    }
  });

  test('an unknown status or time is a mistake, not an empty list', async () => {
    expect((await api.request('alice', 'GET', '/jobs?status=fine')).status).toBe(400);
    expect((await api.request('alice', 'GET', '/jobs?since=yesterday')).json.error).toMatch(/^since: expected a time/);
  });

  test('streams one job a line, through more than a batch, each once', async () => {
    await database.db
      .insertInto('jobs')
      .values(
        Array.from({ length: 450 }, (_, index) => ({
          id: `job-00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
          cluster: 'default',
          org: 'acme',
          project: 'one',
          owner: 'alice',
          preset: 'cpu-small',
          request: JSON.stringify({ image: 'ubuntu' }),
          spec: JSON.stringify({ namespace: 'n', resources: { cpu: 1, memory: 1, extended: {}, shm: false } }),
          tags: ['many'],
        })),
      )
      .execute();
    const response = await fetch(`${api.url}/api/v1/jobs?tag=many&reverse=1`, {
      headers: { authorization: `Bearer ${await issuer.token('alice')}`, accept: 'application/x-ndjson' },
    });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).split('\n');
    expect(lines.pop()).toBe('');
    const seen = lines.map((line) => (JSON.parse(line) as { id: string }).id);
    expect(seen).toEqual(
      Array.from({ length: 450 }, (_, index) => `job-00000000-0000-4000-8000-${String(449 - index).padStart(12, '0')}`),
    );
  });
});

describe('what is not there', () => {
  test.each([
    '/api/v1/storage/acme/one?op=LISTSTATUS',
    '/api/v1/buckets/buckets',
    '/apis/apps/v2/templates',
    '/api/v1/apps/x/log_ws',
    '/apis/vcluster/kube/cluster/default/org/acme/project/one/config',
    '/v2/_catalog',
  ])('%s says that it is not part of this release', async (path) => {
    const plain = path.split('?', 1)[0] ?? path;
    expect(absentAt(api.deps.resources, plain)).toBeDefined();
    const response = await fetch(`${api.url}${path}`);
    expect(response.status).toBe(501);
    expect(await response.json()).toMatchObject({ error: expect.stringMatching(/not part of this release/) });
  });

  test('an unknown path is a JSON error', async () => {
    const response = await fetch(`${api.url}/api/v1/nope?secret=1`);
    expect([response.status, await response.json()]).toEqual([
      404,
      { error: 'no such endpoint: GET /api/v1/nope', code: 'ERR_NOT_FOUND' },
    ]);
  });

  test('broken JSON, and a body that is none, are the sender’s mistakes', async () => {
    const post = async (body: string): Promise<number> => {
      const headers = { authorization: `Bearer ${await issuer.token('alice')}`, 'content-type': 'application/json' };
      return (await fetch(`${api.url}/api/v1/jobs`, { method: 'POST', headers, body })).status;
    };
    const bodies = ['{', '[]', 'null', '"x"', `${'['.repeat(100_000)}${']'.repeat(100_000)}`];
    for (const body of bodies) expect(await post(body)).toBe(400);
  });

  test('metrics and health are not on the public listener', async () => {
    for (const path of ['/metrics', '/health/ready', '/internal/agent/v1/connect']) {
      expect((await fetch(`${api.url}${path}`)).status).toBe(404);
    }
  });
});

test('the OpenAPI document describes every job route by the schemas that validate', async () => {
  const document = (await (await fetch(`${api.url}/api/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { parameters?: { name: string }[]; responses: object }>>;
  };
  expect(Object.keys(document.paths).filter((path) => path.startsWith('/api/v1/jobs'))).toEqual([
    '/api/v1/jobs/capacity',
    '/api/v1/jobs',
    '/api/v1/jobs/{id}',
    '/api/v1/jobs/{id}/kill',
    '/api/v1/jobs/{id}/max_run_time_minutes',
    '/api/v1/jobs/{id}/save',
  ]);
  const names = document.paths['/api/v1/jobs']?.get?.parameters?.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['status', 'owner', 'since', 'project_name', 'reverse']));
  const silent = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.keys(responses).some((status) => /^[23]/.test(status)) ? [] : [`${method} ${path}`],
    ),
  );
  expect(silent, 'say nothing of their success').toEqual([]);
});

test('a headless login whose query gives a key twice is shown the first one', async () => {
  const page = await fetch(`${api.url}/api/v1/headless?code=one&code=two`);
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('>one<')]);
});

test('the page of a headless login shows the code and runs nothing', async () => {
  const response = await fetch(`${api.url}/api/v1/headless?code=${encodeURIComponent('<script>"x"')}`);
  const html = await response.text();
  expect(html).toContain('&#60;script&#62;&#34;x&#34;');
  expect(response.headers.get('content-security-policy')).toBe("default-src 'none'");
  const changed = await (await fetch(`${api.url}/api/v1/headless?code=x&kc_action_status=success`)).text();
  expect(changed).toContain('<h1>Your password is changed</h1>');
});
