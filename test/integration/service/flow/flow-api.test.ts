import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { flowAttempts } from '../../../../runtime/service/src/api/resources/flow-attempts/index.ts';
import { forgetOldBakes, growBake } from '../../../../runtime/service/src/db/flow/bakes.ts';
import { putCacheEntry } from '../../../../runtime/service/src/db/flow/cache.ts';
import { MOST_BAKE_BYTES, MOST_TASKS } from '../../../../runtime/service/src/db/flow/limits.ts';
import { stopJob } from '../../../../runtime/service/src/db/jobs-state.ts';
import { flowClient } from '../../../support/bakes/flow-client.ts';
import { processAgent } from '../../../support/bakes/process-agent.ts';
import { type Answer, type ApiOnPostgres, startApiOnPostgres } from '../../../support/service/control-api.ts';

/* The API of flows over a real PostgreSQL, as apolo-flow asks it. */

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
beforeAll(async () => {
  served = await startApiOnPostgres();
});
afterAll(() => served?.stop());
beforeEach(async () => {
  await served.database.db.deleteFrom('flow_projects').execute();
});

const ask = (method: string, path: string, body?: unknown, user = 'alice'): Promise<Answer> =>
  served.api.request(user, method, `/flow/${path}`, body);
/** What a request made. @throws Error with the refusal */
const made = async (path: string, body: object, user = 'alice') => {
  const { status, json, text } = await ask('POST', path, body, user);
  if (status !== 201) throw new Error(`${status} ${text}`);
  return json;
};
/** A list, as the client asks for it. */
const lines = async (path: string): Promise<readonly Record<string, unknown>[]> => {
  const response = await fetch(`${served.api.url}/api/v1/flow/${path}`, {
    headers: { authorization: `Bearer ${await served.issuer.token('alice')}`, accept: 'application/x-ndjson' },
  });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  const text = await response.text();
  expect(text).toMatch(/^$|\n$/);
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
};

const IN_ONE = { org_name: 'acme', project_name: 'one', cluster: 'default' };
const flow = async (name = 'mine'): Promise<string> => (await made('projects', { ...IN_ONE, name })).id;
const bake = async (of: string, more: object = {}): Promise<string> =>
  (await made('bakes', { project_id: of, batch: 'train', graphs: { '': { a: [] } }, params: {}, ...more })).id;
const file = async (of: string): Promise<string> =>
  (await made('config_files', { bake_id: of, filename: '/flow/train.yml', content: 'kind: batch' })).id;
const metaOf = async (of: string) => ({
  workspace: '/flow',
  flow_config_id: await file(of),
  project_config_id: null,
  action_config_ids: {},
});
const attempt = async (of: string, number = 1): Promise<string> =>
  (
    await made('attempts', {
      bake_id: of,
      number,
      executor_id: null,
      result: 'pending',
      configs_meta: await metaOf(of),
    })
  ).id;
const replaceAttempt = async (of: string, change: object, number = 1): Promise<Answer> =>
  ask('PUT', 'attempts/replace', {
    bake_id: of,
    number,
    executor_id: null,
    result: 'running',
    configs_meta: await metaOf(of),
    ...change,
  });
const at = (status: string) => ({ created_at: '2026-11-23T10:00:00+00:00', status });
const task = (of: string, yaml_id: string, more: object = {}) => ({
  attempt_id: of,
  yaml_id,
  raw_id: '',
  outputs: null,
  state: null,
  statuses: [at('pending')],
  ...more,
});

describe('a flow', () => {
  test('is found by its name once it is made, and made once', async () => {
    const asked = 'projects/by_name?name=mine&cluster=default&owner=alice&project_name=one&org_name=acme';
    expect((await ask('GET', asked)).status).toBe(404);
    const id = await flow();
    expect((await ask('GET', asked)).json).toEqual({
      ...IN_ONE,
      id: expect.stringMatching(/^projects-[0-9a-f-]{36}$/),
      name: 'mine',
      owner: 'alice',
    });
    expect((await ask('POST', 'projects', { ...IN_ONE, name: 'mine' })).json.code).toBe('ERR_CONFLICT');
    expect((await lines('projects')).map((each) => each.id)).toEqual([id]);
    expect((await ask('GET', 'projects')).json).toHaveLength(1);
  });

  test('of a project that the caller has no part in is none', async () => {
    await made('projects', { ...IN_ONE, org_name: 'other', project_name: 'hidden', name: 'theirs' }, 'bob');
    expect((await ask('GET', 'projects/by_name?name=theirs&cluster=default&project_name=hidden')).status).toBe(404);
    expect(await lines('projects')).toEqual([]);
    const refused = await ask('POST', 'projects', { ...IN_ONE, org_name: 'other', project_name: 'hidden', name: 'x' });
    expect([refused.status, refused.json.code]).toEqual([403, 'ERR_FORBIDDEN']);
  });

  test('goes with all that is its own', async () => {
    const id = await flow();
    const first = await attempt(await bake(id));
    await made('tasks', task(first, 'a'));
    await made('cache_entries', { project_id: id, batch: 'b', task_id: 'a', key: 'k', outputs: {}, state: {} });
    expect((await ask('DELETE', `projects/${id}`)).status).toBe(204);
    const { db } = served.database;
    for (const table of ['flow_bakes', 'flow_attempts', 'flow_tasks', 'flow_cache_entries'] as const) {
      expect(await db.selectFrom(table).selectAll().execute()).toEqual([]);
    }
  });

  test('has its live jobs, each told of again and again', async () => {
    const id = await flow();
    const told = { project_id: id, yaml_id: 'jupyter', multi: false, tags: ['project:mine'] };
    const first = await ask('PUT', 'live_jobs/replace', told);
    expect(first.json).toEqual({ ...told, id: expect.stringMatching(/^live-job-/), raw_id: '' });
    const second = await ask('PUT', 'live_jobs/replace', { ...told, multi: true });
    expect(second.json).toEqual({ ...first.json, multi: true });
    expect(await lines(`live_jobs?project_id=${id}`)).toEqual([second.json]);
    expect((await ask('GET', `live_jobs/by_yaml_id?project_id=${id}&yaml_id=jupyter`)).json).toEqual(second.json);
  });
});

test.each(['live_jobs?project_id', 'bakes?project_id', 'attempts?bake_id', 'tasks?attempt_id', 'bake_images?bake_id'])(
  'a list of something that is not there is empty: %s',
  async (list) => {
    expect(await lines(`${list}=none`)).toEqual([]);
  },
);

describe('a bake', () => {
  test('is as it was sent', async () => {
    const sent = {
      project_id: await flow(),
      batch: 'train',
      name: 'nightly',
      tags: ['a'],
      params: { p: '1' },
      graphs: { '': { act: [], b: ['act'] }, act: { 'act.inner': [] } },
      meta: { git_info: { sha: 'abc', branch: 'main', tags: [''] } },
    };
    const json = await made('bakes', sent);
    expect(json).toEqual({ ...sent, id: json.id, created_at: json.created_at, last_attempt: null });
    expect(json.id).toMatch(/^bake-[0-9a-z]{8}(-[0-9a-z]{4}){3}-[0-9a-z]{12}$/);
    const last = await attempt(json.id);
    expect((await ask('GET', `bakes/${json.id}?fetch_last_attempt=1`)).json.last_attempt.id).toBe(last);
    expect((await ask('GET', `bakes/by_name?project_id=${sent.project_id}&name=nightly`)).json.id).toBe(json.id);
  });

  test('has its name alone until it ends; a name means the newest one', async () => {
    const id = await flow();
    const first = await bake(id, { name: 'nightly' });
    const again = await ask('POST', 'bakes', { project_id: id, batch: 'train', graphs: {}, name: 'nightly' });
    expect([again.status, again.json.code]).toEqual([409, 'ERR_CONFLICT']);
    await attempt(first);
    await replaceAttempt(first, { result: 'failed' });
    const second = await bake(id, { name: 'nightly' });
    expect((await ask('GET', `bakes/by_name?project_id=${id}&name=nightly`)).json.id).toBe(second);
    // The first one would have the name again.
    const restart = await ask('POST', 'attempts', {
      ...{ bake_id: first, number: 2, result: 'pending', configs_meta: await metaOf(first) },
    });
    expect([restart.status, restart.json.code]).toEqual([409, 'ERR_CONFLICT']);
  });

  test('is listed as it was made, by tags and by time', async () => {
    const id = await flow();
    const ids = [await bake(id, { tags: ['a'] }), await bake(id, { tags: ['a', 'b'] }), await bake(id)];
    const listed = async (query = '') => (await lines(`bakes?project_id=${id}${query}`)).map((each) => each.id);
    expect(await listed()).toEqual(ids);
    expect(await listed('&reverse=true&fetch_last_attempt=1')).toEqual(ids.toReversed());
    expect(await listed('&tags=a')).toEqual(ids.slice(0, 2));
    expect(await listed('&tags=a&tags=b')).toEqual([ids[1]]);
    expect(await listed(`&since=${encodeURIComponent('2100-01-01T00:00:00.000000+00:00')}`)).toEqual([]);
    expect(await listed(`&until=${encodeURIComponent('2100-01-01T00:00:00+00:00')}`)).toEqual(ids);
  });

  test('of a thousand is listed in pages, each once', async () => {
    const id = await flow();
    const rows = Array.from({ length: 1_000 }, (_, index) => ({
      id: `bake-${String(index).padStart(4, '0')}`,
      flow: id,
      batch: 'train',
      owner: 'alice',
      params: '{}',
      graphs: JSON.stringify({ '': { a: [] } }),
      meta: JSON.stringify({ git_info: null }),
    }));
    await served.database.db.insertInto('flow_bakes').values(rows).execute();
    expect((await lines(`bakes?project_id=${id}`)).map((each) => each.id)).toEqual(rows.map((row) => row.id));
  });

  test('that ended long ago goes where there are too many, one that has not ended stays', async () => {
    const id = await flow();
    const [open, ended, newest] = [await bake(id), await bake(id), await bake(id)];
    await attempt(ended);
    await replaceAttempt(ended, { result: 'succeeded' });
    await served.database.tx((tx) => forgetOldBakes(tx, id, { bakes: 1, bytes: 1e9 }));
    expect((await lines(`bakes?project_id=${id}`)).map((each) => each.id)).toEqual([open, newest]);
  });

  test('has no more than its bytes', async () => {
    const id = await bake(await flow());
    const grow = served.database.tx((tx) => growBake(tx, id, MOST_BAKE_BYTES));
    await expect(grow).rejects.toMatchObject({ code: 'ERR_QUOTA_EXCEEDED' });
  });
});

describe('an attempt', () => {
  test('is found by its number, -1 being the last', async () => {
    const id = await bake(await flow());
    const [first, second] = [await attempt(id, 1), await attempt(id, 2)];
    const by = async (number: number) =>
      (await ask('GET', `attempts/by_number?bake_id=${id}&number=${number}`)).json.id;
    expect([await by(1), await by(2), await by(-1)]).toEqual([first, second, second]);
    expect((await ask('GET', `attempts/by_number?bake_id=${id}&number=3`)).status).toBe(404);
    expect((await ask('GET', `attempts/by_number?bake_id=${id}&number=2251799813685247`)).status).toBe(400);
    expect((await lines(`attempts?bake_id=${id}`)).map((each) => each.number)).toEqual([1, 2]);
    const again = await ask('POST', 'attempts', {
      ...{ bake_id: id, number: 2, result: 'pending', configs_meta: await metaOf(id) },
    });
    expect([again.status, again.json.code]).toEqual([409, 'ERR_CONFLICT']);
  });

  test('that was cancelled stays so, whatever its executor says then', async () => {
    const id = await bake(await flow());
    await attempt(id);
    expect((await replaceAttempt(id, { result: 'cancelled' })).json.result).toBe('cancelled');
    const late = await replaceAttempt(id, { result: 'succeeded', executor_id: 'job-1' });
    expect([late.status, late.json.result, late.json.executor_id]).toEqual([200, 'cancelled', 'job-1']);
  });

  test('reads files of its own bake alone', async () => {
    const id = await flow();
    const [mine, other] = [await bake(id), await bake(id)];
    const refused = await ask('POST', 'attempts', {
      ...{ bake_id: mine, number: 1, result: 'pending', configs_meta: await metaOf(other) },
    });
    expect([refused.status, refused.json.error]).toEqual([400, expect.stringContaining('no configuration file')]);
  });

  test('whose executor was a job of its project that has ended, ends as that did', async () => {
    const { database, api } = served;
    const job = await api.request('alice', 'POST', '/jobs?from_preset', {
      ...{ preset_name: 'cpu-small', ...IN_ONE, cluster_name: 'default', image: 'ubuntu:24.04', pass_config: false },
    });
    const [mine, theirs] = [await bake(await flow()), await bake(await flow('second'))];
    for (const id of [mine, theirs]) {
      await attempt(id);
      await replaceAttempt(id, { executor_id: id === mine ? job.json.id : 'job-of-nobody' });
    }
    const sweep = async () => flowAttempts.sweep?.(api.deps);
    await sweep();
    expect((await ask('GET', `attempts/by_number?bake_id=${mine}&number=-1`)).json.result).toBe('running');
    await database.tx((tx) =>
      stopJob(tx, job.json.id, { status: 'cancelled', reason: 'Cancelled', description: 'by a test' }),
    );
    await sweep();
    expect((await ask('GET', `attempts/by_number?bake_id=${mine}&number=-1`)).json.result).toBe('cancelled');
    expect((await ask('GET', `attempts/by_number?bake_id=${theirs}&number=-1`)).json.result).toBe('running');
  });

  test('that the platform carries out is cancelled by clients, and told nothing else', async () => {
    const id = await bake(await flow());
    const its = await attempt(id);
    await served.database.db.updateTable('flow_attempts').set({ engine: true }).where('id', '=', its).execute();
    expect((await ask('POST', 'tasks', task(its, 'a'))).json.code).toBe('ERR_CONFLICT');
    expect((await replaceAttempt(id, { result: 'succeeded' })).json.code).toBe('ERR_CONFLICT');
    expect((await replaceAttempt(id, { result: 'cancelled' })).json.result).toBe('cancelled');
  });
});

describe('a task', () => {
  test('is told of, and what becomes of it', async () => {
    const of = await attempt(await bake(await flow()));
    const first = await made('tasks', task(of, 'act.a', { raw_id: 'job-1' }));
    expect(first).toEqual({ ...task(of, 'act.a', { raw_id: 'job-1' }), id: expect.stringMatching(/^task-/) });
    const ended = { raw_id: 'job-1', outputs: { x: '1' }, state: {}, statuses: [at('pending'), at('succeeded')] };
    const replaced = await ask('PUT', 'tasks/replace', task(of, 'act.a', ended));
    expect(replaced.json).toEqual({ ...first, ...ended });
    expect((await ask('GET', `tasks/by_yaml_id?attempt_id=${of}&yaml_id=act.a`)).json).toEqual(replaced.json);
    await made('tasks', task(of, 'a'));
    expect((await lines(`tasks?attempt_id=${of}`)).map((each) => each.yaml_id)).toEqual(['act.a', 'a']);
    expect((await ask('POST', 'tasks', task(of, 'a'))).json.code).toBe('ERR_CONFLICT');
    expect((await ask('PUT', 'tasks/replace', task(of, 'b'))).status).toBe(404);
  });

  test.each([
    ['a status that there is none of', { statuses: [at('done')] }],
    ['a time without its offset', { statuses: [{ created_at: '2026-11-23T10:00:00', status: 'pending' }] }],
    ['no status', { statuses: [] }],
    ['success without outputs', { statuses: [at('succeeded')] }],
    ['an output that is no text', { outputs: { a: 1 } }],
  ])('is refused with %s', async (_what, more) => {
    const of = await attempt(await bake(await flow()));
    const { status, json } = await ask('POST', 'tasks', task(of, 'a', more));
    expect([status, json.code]).toEqual([400, 'ERR_REQUEST']);
  });

  test('is refused where its attempt has the most', async () => {
    const of = await attempt(await bake(await flow()));
    await served.database.db.updateTable('flow_attempts').set({ tasks: MOST_TASKS }).where('id', '=', of).execute();
    expect((await ask('POST', 'tasks', task(of, 'a'))).json.code).toBe('ERR_QUOTA_EXCEEDED');
    expect(await lines(`tasks?attempt_id=${of}`)).toEqual([]);
  });
});

describe('the cache', () => {
  const entry = (of: string, task_id = 'a', key = 'k') => ({
    project_id: of,
    batch: 'train',
    task_id,
    key,
    outputs: { x: '1' },
    state: {},
    raw_id: 'job-1',
  });

  test('gives back what it was given, to its own flow alone', async () => {
    const [mine, second] = [await flow(), await flow('second')];
    const by = (of: string) => ask('GET', `cache_entries/by_key?project_id=${of}&batch=train&task_id=a&key=k`);
    expect((await by(mine)).status).toBe(404);
    const first = await made('cache_entries', entry(mine));
    expect((await by(mine)).json).toEqual({ ...entry(mine), id: first.id, created_at: first.created_at });
    expect((await by(second)).status).toBe(404);
    const renewed = await made('cache_entries', { ...entry(mine), outputs: { x: '2' } });
    expect([renewed.id, renewed.outputs]).toEqual([first.id, { x: '2' }]);
    expect(
      (await ask('GET', `cache_entries/by_key?project_id=${mine}&batch=train&task_id=a&key=k`, undefined, 'bob'))
        .status,
    ).toBe(404);
  });

  test('forgets all, or one batch, or one task', async () => {
    const id = await flow();
    const { db } = served.database;
    const kept = async () =>
      (await db.selectFrom('flow_cache_entries').select('task_id').execute()).map((row) => row.task_id);
    for (const name of ['a', 'b', 'c']) await made('cache_entries', entry(id, name));
    await ask('DELETE', `cache_entries?project_id=${id}&batch=other`);
    await ask('DELETE', `cache_entries?project_id=${id}&batch=train&task_id=b`);
    expect((await kept()).toSorted()).toEqual(['a', 'c']);
    expect((await ask('DELETE', `cache_entries?project_id=${id}`)).status).toBe(204);
    expect(await kept()).toEqual([]);
    const row = await db.selectFrom('flow_projects').selectAll().executeTakeFirstOrThrow();
    expect([row.cache_entries, row.cache_bytes]).toEqual([0, 0]);
  });

  test('forgets the oldest where it has too many', async () => {
    const id = await flow();
    for (const key of ['1', '2', '3']) {
      await served.database.tx((tx) =>
        putCacheEntry(
          tx,
          { flow: id, batch: 'train', taskId: 'a', key, outputs: {}, state: {}, rawId: '' },
          { entries: 2, bytes: 1e6 },
        ),
      );
    }
    const rows = await served.database.db.selectFrom('flow_cache_entries').select('key').execute();
    expect(rows.map((row) => row.key).toSorted()).toEqual(['2', '3']);
  });
});

test('an image of a bake is told of, found by its reference, and changes', async () => {
  const of = await bake(await flow());
  const told = {
    bake_id: of,
    ref: 'image:a:1',
    yaml_defs: ['act.img'],
    status: 'pending',
    dockerfile_rel: 'Dockerfile',
  };
  const first = await made('bake_images', { ...told, context_on_storage: null, builder_job_id: null });
  expect((await ask('GET', `bake_images/by_ref?bake_id=${of}&ref=image:a:1`)).json).toEqual(first);
  expect((await ask('GET', `bake_images/by_ref?bake_id=${of}&ref=image:b`)).status).toBe(404);
  expect((await ask('POST', 'bake_images', told)).json.code).toBe('ERR_CONFLICT');
  const changed = await ask('PATCH', `bake_images/${first.id}`, { status: 'building', builder_job_id: 'job-1' });
  expect(changed.json).toEqual({ ...first, status: 'building', builder_job_id: 'job-1' });
  expect(await lines(`bake_images?bake_id=${of}`)).toEqual([changed.json]);
});

test('a reader looks, and changes nothing', async () => {
  const id = await flow();
  const of = await bake(id);
  const its = await attempt(of);
  for (const [method, path, body] of [
    ['POST', 'bakes', { project_id: id, batch: 'train', graphs: {} }],
    ['POST', 'attempts', { bake_id: of, number: 2, result: 'pending', configs_meta: await metaOf(of) }],
    ['POST', 'tasks', task(its, 'a')],
    ['POST', 'config_files', { bake_id: of, filename: 'a', content: '' }],
    ['POST', 'bake_images', { bake_id: of, ref: 'a', yaml_defs: ['a'], status: 'pending' }],
    ['PUT', 'live_jobs/replace', { project_id: id, yaml_id: 'a', multi: false, tags: [] }],
    ['DELETE', `cache_entries?project_id=${id}`, undefined],
    ['DELETE', `projects/${id}`, undefined],
  ] as const) {
    const { status, json } = await ask(method, path, body, 'rita');
    expect([path, status, json?.code]).toEqual([path, 403, 'ERR_FORBIDDEN']);
  }
  expect((await ask('GET', `bakes/${of}`, undefined, 'rita')).status).toBe(200);
});

test('a bake is handed over by the whole command of its job, once, and by whoever may write in its project', async () => {
  const of = await bake(await flow());
  await attempt(of);
  const start = (command: string, user = 'alice') =>
    served.api.request(user, 'POST', '/jobs?from_preset', {
      ...{ preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', pass_config: true },
      ...{ image: 'ubuntu:24.04', command },
    });
  const other = await start(`echo apolo-flow --fake-workspace execute ${of}`, 'alice').catch(() => undefined);
  expect(other?.json.status).not.toBe('running');
  const command = `apolo-flow -v --fake-workspace execute ${of}`;
  expect((await start(command, 'bob')).status).toBe(404);
  expect((await start(command, 'rita')).status).toBe(403);
  const { status, json } = await start(command);
  // No scheduler and no agent looks at it, and nothing is charged.
  expect([status, json.status, json.materialized, json.price_credits_per_hour]).toEqual([
    202,
    'running',
    false,
    '0.0000',
  ]);
  const handed = (await ask('GET', `attempts/by_number?bake_id=${of}&number=-1`)).json;
  expect([handed.result, handed.executor_id]).toEqual(['running', json.id]);
  expect((await start(command)).json.code).toBe('ERR_CONFLICT');
  const row = await served.database.db
    .selectFrom('jobs')
    .selectAll()
    .where('id', '=', json.id)
    .executeTakeFirstOrThrow();
  expect([row.phase, row.carries, row.node]).toEqual(['gone', of, null]);
  // A kill of it cancels the bake; the job ends when the bake has.
  expect((await served.api.request('alice', 'DELETE', `/jobs/${json.id}`)).status).toBe(204);
  expect((await ask('GET', `attempts/by_number?bake_id=${of}&number=-1`)).json.result).toBe('cancelled');
});

test('the official client carries out a bake, whose tasks are jobs, and whose outputs go from one to the next', async () => {
  const { database, api, issuer } = served;
  await database.notifications.start();
  await database.db.deleteFrom('jobs').execute();
  const agent = await processAgent(database, api.deps.logs);
  const client = await flowClient();
  try {
    await client.apolo.ok(['config', 'login-with-token', await issuer.token('alice'), `${api.url}/api/v1`]);
    const at = await client.workspace({
      '.apolo/project.yml': 'id: mine\n',
      '.apolo/two.yml': `
kind: batch
defaults: { preset: cpu-small }
tasks:
  - { id: first, image: "ghcr.io/neuro-inc/base", bash: "echo ::set-output name=x::1" }
  - { id: then, image: "ghcr.io/neuro-inc/base", bash: "echo ::set-output name=y::\${{ needs.first.outputs.x }}2" }
`,
    });
    const { code, stdout, stderr } = await client.run(at, ['bake', '--local-executor', 'two'], { timeout: 90 });
    expect(code, stdout + stderr).toBe(0);
    const rows = await database.db.selectFrom('flow_tasks').selectAll().orderBy('seq').execute();
    expect(rows.map((row) => [row.yaml_id, row.status, row.outputs, row.raw_id])).toEqual([
      ['first', 'succeeded', { x: '1' }, agent.started[0]],
      ['then', 'succeeded', { y: '12' }, agent.started[1]],
    ]);
    const job = await api.request('alice', 'GET', `/jobs/${agent.started[0]}`);
    const [bake] = await database.db.selectFrom('flow_bakes').selectAll().execute();
    expect(job.json.tags.toSorted()).toEqual([`bake_id:${bake?.id}`, 'flow:two', 'project:mine', 'task:first']);
    expect(bake?.status).toBe('succeeded');
  } finally {
    await client.close();
    await agent.stop();
  }
});
