import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { carryOutBakes } from '../../../runtime/service/src/api/bakes/index.ts';
import { type BakingPlatform, startBakingPlatform } from '../../support/bakes/baking-platform.ts';
import type { Answer } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/*
 * Bakes that the platform carries out, over a real PostgreSQL: handed over as the official client does it, with jobs that
 * are processes of this machine.
 */

let platform: BakingPlatform;

beforeAll(async () => {
  platform = await startBakingPlatform();
});
afterAll(() => platform?.stop());
beforeEach(async () => {
  await platform.served.database.db.deleteFrom('flow_projects').execute();
});

const ask = (method: string, path: string, body?: unknown, user = 'alice'): Promise<Answer> =>
  platform.served.api.request(user, method, path, body);
const made = async (path: string, body: object) => {
  const { status, json, text } = await ask('POST', `/flow/${path}`, body);
  if (status !== 201) throw new Error(`${status} ${text}`);
  return json;
};
const flow = async (): Promise<string> =>
  (await made('projects', { org_name: 'acme', project_name: 'one', cluster: 'default', name: 'mine' })).id;

/** A bake with its files and first attempt, as the client makes them. */
async function bakeOf(of: string, files: Readonly<Record<string, string>>): Promise<string> {
  const { id } = await made('bakes', {
    project_id: of,
    batch: 'main',
    graphs: { '': {} },
    params: {},
    meta: { git_info: null },
  });
  const ids: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    const filename = `/home/alice/flow/${name === 'main' ? '.apolo/main.yml' : name}`;
    ids[name] = (await made('config_files', { bake_id: id, filename, content })).id;
  }
  const { main, ...actions } = ids;
  await made('attempts', {
    bake_id: id,
    number: 1,
    executor_id: null,
    result: 'pending',
    configs_meta: {
      workspace: '/home/alice/flow',
      flow_config_id: main,
      project_config_id: null,
      action_config_ids: Object.fromEntries(Object.entries(actions).map(([name, file]) => [`ws:${name}`, file])),
    },
  });
  return id;
}
const handOver = (bake: string, user = 'alice'): Promise<Answer> =>
  platform.served.api.request(user, 'POST', '/jobs?from_preset', {
    ...{ preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', pass_config: true },
    ...{ image: 'ghcr.io/neuro-inc/apolo-flow:26.7.2', command: `apolo-flow --fake-workspace execute ${bake}` },
    volumes: [{ src_storage_uri: `storage://default/acme/one/.flow/logs/${bake}`, dst_path: '/root/.apolo/logs' }],
  });
const tasksOf = async (bake: string) => {
  const rows = await platform.served.database.db
    .selectFrom('flow_tasks')
    .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
    .selectAll('flow_tasks')
    .where('flow_attempts.bake', '=', bake)
    .orderBy('flow_tasks.seq')
    .execute();
  return new Map(rows.map((row) => [row.yaml_id, row]));
};
const statusesOf = async (bake: string): Promise<Record<string, string>> =>
  Object.fromEntries([...(await tasksOf(bake))].map(([id, { status }]) => [id, status]));
const jobOf = async (id: string) =>
  await platform.served.database.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const settled = async (bake: string): Promise<string> => {
  const ended = await until('the end of the bake', 90, async (last) => {
    last(await statusesOf(bake));
    return platform.served.database.db
      .selectFrom('flow_attempts')
      .select('result')
      .where('bake', '=', bake)
      .where('settled_at', 'is not', null)
      .executeTakeFirst();
  });
  return ended.result;
};
const logOf = async (job: string): Promise<string> => {
  const { logs } = platform.served.api.deps;
  const chunks = await logs.chunks({ jobId: job, attempt: 0, offset: 0 }, 1000);
  return Buffer.concat(await Promise.all(chunks.map((chunk) => chunk.bytes()))).toString();
};

const IMAGE = 'ghcr.io/neuro-inc/base:latest';
const MAIN = `kind: batch
defaults: { preset: cpu-small, tags: [mine] }
tasks:
  - id: first
    image: ${IMAGE}
    bash: echo "::set-output name=said::hello"; echo shown
  - id: call
    action: ws:inner.yml
    args: { given: "\${{ needs.first.outputs.said }}" }
  - id: last
    image: ${IMAGE}
    env: { SAID: "\${{ needs.call.outputs.all }}" }
    bash: echo "::set-output name=said::$SAID again"
`;
const INNER = `kind: batch
inputs: { given: {} }
outputs: { all: { value: "\${{ needs.b.outputs.out }}" } }
tasks:
  - { id: a, needs: [], image: ${IMAGE}, bash: "echo '::set-output name=out::\${{ inputs.given }} a'" }
  - { id: b, needs: [a], image: ${IMAGE}, bash: "echo '::set-output name=out::\${{ needs.a.outputs.out }} b'" }
`;

describe('a bake that is handed over', () => {
  test('is carried out by jobs, whose outputs go from one to the next; the second one is cached', async () => {
    const of = await flow();
    const bake = await bakeOf(of, { main: MAIN, 'inner.yml': INNER });
    const { status, json, text } = await handOver(bake);
    expect(status, text).toBe(202);
    expect([json.status, json.price_credits_per_hour, json.materialized]).toEqual(['running', '0.0000', false]);
    expect(await settled(bake)).toBe('succeeded');
    const tasks = await tasksOf(bake);
    expect(tasks.get('last')?.outputs).toEqual({ said: 'hello a b again' });
    expect(tasks.get('last')?.statuses.map((item) => item.status)).toEqual(['pending', 'running', 'succeeded']);
    const first = await jobOf(tasks.get('first')?.raw_id ?? '');
    expect(first.tags).toEqual([`bake_id:${bake}`, 'flow:main', 'mine', 'project:flow', 'task:first']);
    expect([first.owner, first.org, first.project]).toEqual(['alice', 'acme', 'one']);
    const executor = await jobOf(json.id);
    expect([executor.status, executor.exit_code, executor.phase]).toEqual(['succeeded', 0, 'gone']);
    expect(await logOf(json.id)).toMatch(/Task first \(job-[^)]*\) is succeeded[\s\S]*Attempt #1 succeeded/);
    const started = platform.agent.started.length;
    const again = await bakeOf(of, { main: MAIN, 'inner.yml': INNER });
    await handOver(again);
    expect(await settled(again)).toBe('succeeded');
    expect(platform.agent.started.length).toBe(started);
    expect(await statusesOf(again)).toEqual({
      first: 'cached',
      call: 'succeeded',
      'call.a': 'cached',
      'call.b': 'cached',
      last: 'cached',
    });
  });

  const HOLD = `kind: stateful
main: { image: ${IMAGE}, preset: cpu-small, bash: "echo '::save-state name=token::t1'" }
post: { image: ${IMAGE}, bash: "echo '::set-output name=gave::\${{ state.token }}'" }
`;
  const HELD = `kind: batch
defaults: { preset: cpu-small }
tasks:
  - { id: hold, action: ws:hold.yml }
  - { id: work, image: ${IMAGE}, bash: sleep 25 }
  - { id: after, image: ${IMAGE}, bash: echo never }
`;
  test('is cancelled by a kill of its job; what was taken is given back', async () => {
    const bake = await bakeOf(await flow(), { main: HELD, 'hold.yml': HOLD });
    const { json } = await handOver(bake);
    await until(
      'the task to run',
      60,
      async () => (await tasksOf(bake)).get('work')?.status === 'running' || undefined,
    );
    expect((await ask('DELETE', `/jobs/${json.id}`)).status).toBe(204);
    expect(await settled(bake)).toBe('cancelled');
    expect(await statusesOf(bake)).toEqual({
      hold: 'succeeded',
      work: 'cancelled',
      after: 'skipped',
      'post-hold': 'succeeded',
    });
    expect((await tasksOf(bake)).get('post-hold')?.outputs).toEqual({ gave: 't1' });
    const executor = await jobOf(json.id);
    expect([executor.status, executor.exit_code]).toEqual(['cancelled', 130]);
  });

  test('that is deleted ends its jobs', async () => {
    const of = await flow();
    const bake = await bakeOf(of, { main: HELD, 'hold.yml': HOLD });
    const { json } = await handOver(bake);
    await until(
      'the task to run',
      60,
      async () => (await tasksOf(bake)).get('work')?.status === 'running' || undefined,
    );
    const work = (await tasksOf(bake)).get('work')?.raw_id ?? '';
    expect((await ask('DELETE', `/flow/projects/${of}`)).status).toBe(204);
    await until('the job to end', 60, async () => (await jobOf(work)).status === 'cancelled' || undefined);
    await until('the executor to end', 60, async () => (await jobOf(json.id)).status === 'cancelled' || undefined);
  });

  test('that cannot be read has failed, and its log says why', async () => {
    const bake = await bakeOf(await flow(), {
      main: 'kind: batch\ntasks: [{id: a, image: u, cmd: "${{ nothing.x }}"}]\n',
    });
    const { json } = await handOver(bake);
    expect(await settled(bake)).toBe('failed');
    expect((await jobOf(json.id)).exit_code).toBe(1);
    expect(await logOf(json.id)).toContain('there is no `nothing` here');
  });

  test('is nobody else’s, is handed over once, and by the whole command alone', async () => {
    const bake = await bakeOf(await flow(), { main: MAIN, 'inner.yml': INNER });
    expect((await handOver(bake, 'bob')).status).toBe(404);
    const quoted = await platform.served.api.request('alice', 'POST', '/jobs?from_preset', {
      ...{ preset_name: 'cpu-small', org_name: 'acme', project_name: 'one' },
      ...{ image: IMAGE, command: `echo apolo-flow --fake-workspace execute ${bake}` },
    });
    expect(quoted.json.status).toBe('pending');
    expect((await handOver(bake)).status).toBe(202);
    const second = await handOver(bake);
    expect([second.status, second.json.code]).toEqual([409, 'ERR_CONFLICT']);
    expect(await settled(bake)).toBe('succeeded');
  });

  test('finds no result, no output and no file of another project, however alike they are', async () => {
    const there = { org_name: 'acme', project_name: 'open', cluster: 'default' };
    const [one, other] = [await flow(), (await made('projects', { ...there, name: 'mine' })).id];
    const first = await bakeOf(one, { main: MAIN, 'inner.yml': INNER });
    await handOver(first);
    expect(await settled(first)).toBe('succeeded');
    // The same flow, files and user; another project.
    const second = await bakeOf(other, { main: MAIN, 'inner.yml': INNER });
    const asked = await ask('POST', '/jobs?from_preset', {
      ...{ preset_name: 'cpu-small', org_name: 'acme', project_name: 'open', pass_config: true },
      ...{ image: 'ghcr.io/neuro-inc/apolo-flow:26.7.2', command: `apolo-flow --fake-workspace execute ${second}` },
    });
    expect(asked.status, asked.text).toBe(202);
    expect(await settled(second)).toBe('succeeded');
    expect(new Set(Object.values(await statusesOf(second)))).toEqual(new Set(['succeeded']));
    const jobs = await Promise.all(
      [...(await tasksOf(second)).values()].flatMap(({ raw_id: id }) => (id ? [jobOf(id)] : [])),
    );
    expect(new Set(jobs.map(({ project }) => project))).toEqual(new Set(['open']));
    // An entry of the cache that names another project's job gives what it says itself, and nothing of that job.
    const mine = (await tasksOf(first)).get('first');
    const report = (await ask('GET', `/flow/bakes/${second}/report`)).json;
    expect(report.tasks.some((task: { job: string | null }) => task.job === mine?.raw_id)).toBe(false);
    // Executed for one project's bake from within the other: it is refused.
    const third = await bakeOf(one, { main: MAIN, 'inner.yml': INNER });
    const across = await ask('POST', '/jobs?from_preset', {
      ...{ preset_name: 'cpu-small', org_name: 'acme', project_name: 'open' },
      ...{ image: 'ghcr.io/neuro-inc/apolo-flow:26.7.2', command: `apolo-flow --fake-workspace execute ${third}` },
    });
    expect([across.status, across.json.error]).toEqual([400, expect.stringContaining('is carried out there')]);
    // Files of a bake of the other project as one's own.
    const { id: file } = await made('config_files', {
      bake_id: second,
      filename: '/w/x.yml',
      content: 'kind: batch\ntasks: []\n',
    });
    const stolen = await ask('POST', '/flow/attempts', {
      ...{ bake_id: third, number: 2, executor_id: null, result: 'pending' },
      configs_meta: { workspace: '/w', flow_config_id: file, project_config_id: null, action_config_ids: {} },
    });
    expect([stolen.status, stolen.json.error]).toEqual([400, expect.stringContaining('no configuration file')]);
  });
});

test('a bake outlives every loss of the process that carries it out: each task has one job', async () => {
  const rows = `kind: batch
defaults: { preset: cpu-small, cache: { strategy: none } }
tasks:
  - id: r\${{ matrix.n }}
    needs: []
    image: ${IMAGE}
    strategy: { matrix: { n: "\${{ range(12) }}" }, max_parallel: 3 }
    bash: sleep 0.2; echo '::set-output name=n::\${{ matrix.n }}'
  - id: sum
    image: ${IMAGE}
    bash: echo '::set-output name=all::\${{ join(" ", [needs[x].outputs.n for x in needs]) }}'
`;
  const before = new Set(platform.agent.started);
  const bake = await bakeOf(await flow(), { main: rows });
  await handOver(bake);
  const more: { close(): Promise<void> }[] = [];
  for (let lost = 0; lost < 20; lost += 1) {
    // Another one stands by, and the one that leads loses its lock in the middle of whatever it does.
    more.push(carryOutBakes(platform.served.api.deps));
    await sleep(60);
    await sql`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
      and pid <> pg_backend_pid() and ((classid::bigint << 32) | objid::bigint) = hashtextextended('delos bakes', 0)`.execute(
      platform.served.database.db,
    );
  }
  expect(await settled(bake)).toBe('succeeded');
  await Promise.all(more.map((one) => one.close()));
  const tasks = await tasksOf(bake);
  expect(tasks.size).toBe(13);
  expect([...tasks.values()].map(({ status }) => status)).toEqual(Array.from({ length: 13 }, () => 'succeeded'));
  const all = String(tasks.get('sum')?.outputs?.all).split(' ').map(Number);
  expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n));
  const jobs = platform.agent.started.filter((id) => !before.has(id));
  expect(jobs.toSorted()).toEqual([...tasks.values()].map(({ raw_id: id }) => id).toSorted());
});
