import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { carryOutBakes } from '../../../runtime/service/src/api/bakes/index.ts';
import { bakeIn, type FlowClient, flowClient } from '../../support/bakes/flow-client.ts';
import { LANGUAGE_CASES, type LanguageCase } from '../../support/bakes/language-cases.ts';
import { type ProcessAgent, processAgent } from '../../support/bakes/process-agent.ts';
import { type FilesOnApi, filesOnApi } from '../../support/files/file-storage.ts';

/*
 * Every feature of the language end to end, by the client's own executor and by the platform's engine, on the same platform: the
 * control API, PostgreSQL and the file storage. Jobs are processes of this machine.
 */

let served: FilesOnApi;
let agent: ProcessAgent;
let engine: { close(): Promise<void> };
let alice: FlowClient;

beforeAll(async () => {
  [served, alice] = await Promise.all([filesOnApi(), flowClient()]);
  await served.database.notifications.start();
  agent = await processAgent(served.database, served.api.deps.logs, served.files.data);
  engine = carryOutBakes(served.api.deps);
  const token = await served.issuer.token('alice');
  await alice.apolo.ok(['config', 'login-with-token', token, `${served.origin}/api/v1`]);
  await alice.apolo.ok(['mkdir', '-p', 'storage:matrix/data']);
});
afterAll(async () => {
  await engine?.close();
  await alice?.close();
  await agent?.stop();
  await served?.stop();
});

type Executor = 'theirs' | 'ours';

/** What became of a bake. */
async function outcome(at: string, executor: Executor, { options = [], code = 0, ...expected }: LanguageCase) {
  const own = executor === 'theirs' ? ['--local-executor'] : [];
  const ran = await alice.run(at, ['bake', ...own, ...options, 'main'], { timeout: 280 });
  const told = `${ran.stdout}${ran.stderr}`;
  expect(ran.code, told).toBe(code);
  const { db } = served.database;
  const id = bakeIn(told);
  const bake = await db
    .selectFrom('flow_bakes')
    .select(['status', 'graphs'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const tasks = await db
    .selectFrom('flow_tasks')
    .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
    .selectAll('flow_tasks')
    .where('flow_attempts.bake', '=', id)
    .execute();
  const jobs = await db
    .selectFrom('jobs')
    .selectAll()
    .where(sql<boolean>`tags @> array[${`bake_id:${id}`}]::text[]`)
    .where('carries', 'is', null)
    .execute();
  const time = new Map(
    tasks.map(({ yaml_id: task, statuses }) => [
      task,
      { begun: Date.parse(statuses[0]?.created_at ?? ''), ended: Date.parse(statuses.at(-1)?.created_at ?? '') },
    ]),
  );
  for (const needs of Object.values(bake.graphs)) {
    for (const [task, all] of Object.entries(needs)) {
      for (const need of all) {
        const [after, before] = [time.get(task), time.get(need)];
        const byRunning = (expected.running ?? []).some(([whose, what]) => whose === task && what === need);
        if (after === undefined || before === undefined) continue;
        if (byRunning) expect(after.begun, `${task} begins while ${need} runs`).toBeLessThan(before.ended);
        else expect(after.begun, `${task} begins after ${need}`).toBeGreaterThanOrEqual(before.ended);
      }
    }
  }
  const spans = jobs.map((job) => [job.created_at.getTime(), job.finished_at?.getTime() ?? Number.NaN] as const);
  const most = Math.max(0, ...spans.map(([at0]) => spans.filter(([from, to]) => from <= at0 && at0 < to).length));
  if (expected.atOnce !== undefined) expect(most, 'jobs at once').toBeLessThanOrEqual(expected.atOnce);
  const by = new Map(tasks.map(({ raw_id: job, yaml_id: task }) => [job, task]));
  return {
    status: bake.status,
    graphs: bake.graphs,
    tasks: Object.fromEntries(tasks.map((task) => [task.yaml_id, [task.status, task.outputs, task.state]])),
    jobs: Object.fromEntries(jobs.map((job) => [by.get(job.id) ?? job.id, described(job)])),
  };
}

/** A job but for what two of one task differ in. */
function described(job: Awaited<ReturnType<typeof jobRow>>) {
  const { env, ...spec } = job.spec;
  const own = Object.entries(env).filter(([name]) => !name.endsWith('_JOB_ID'));
  const same = (text: string | null) => text?.replaceAll(/theirs|ours/g, 'flow') ?? null;
  return {
    ...{ status: job.status, exit: job.exit_code, preset: job.preset, name: same(job.name), owner: job.owner },
    ...{ minutes: job.max_run_time_minutes, timeout: job.schedule_timeout, description: same(job.description) },
    tags: job.tags
      .filter((tag) => !tag.startsWith('bake_id:'))
      .map(same)
      .toSorted(),
    spec: { ...spec, name: same(spec.name), env: Object.fromEntries(own) },
    http: (job.request as { http?: unknown }).http,
  };
}
const jobRow = (id: string) =>
  served.database.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

const workspace = (executor: Executor, files: LanguageCase['files'], nth: number): Promise<string> =>
  alice.workspace({
    '.apolo/project.yml': `id: ${executor}${nth}\n${files.project ?? ''}`,
    ...Object.fromEntries(
      Object.entries(files).flatMap(([name, text]) =>
        name === 'project' ? [] : [[`.apolo/${name === 'main' ? 'main.yml' : name}`, text]],
      ),
    ),
  });

describe('the outcome of a bake is that of apolo-flow’s own executor, also from the cache', () => {
  test.concurrent.each(Object.entries(LANGUAGE_CASES).map(([name, one], nth) => [name, one, nth] as const))(
    '%s',
    async (_name, one, nth) => {
      const both = await Promise.all(
        (['theirs', 'ours'] as const).map(async (executor) => {
          const at = await workspace(executor, one.files, nth);
          return [await outcome(at, executor, one), await outcome(at, executor, one)];
        }),
      );
      const [theirs, ours] = both;
      expect(ours).toEqual(theirs);
    },
  );
});
