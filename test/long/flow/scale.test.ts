import { platformConfig } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { flowRequests, submission } from '../../support/bakes/flow-requests.ts';
import { type InstantJobs, instantJobs } from '../../support/bakes/instant-jobs.ts';
import { type ServiceProcesses, startServices } from '../../support/edge/service-processes.ts';
import { until } from '../../support/until.ts';

/*
 * The control API as a process, with the memory that its Pod may have, over a real PostgreSQL: tens of thousands of tasks, thousands of
 * bakes at once, of projects that are to have their turns. Jobs are rows that end by themselves.
 */

const TASKS = Number(process.env.DELOS_TEST_TASKS ?? 20_000);
const BAKES = Number(process.env.DELOS_TEST_BAKES ?? 2_000);
const MIB = 2 ** 20;
const MUCH = { perSecond: 100_000, burst: 1_000_000 };
const CONFIG = platformConfig.parse({
  users: [{ name: 'alice' }, { name: 'bob' }],
  presets: [{ name: 'cpu-small', cpu: 0.1, memory: '128Mi' }],
  requests: { ofUser: MUCH, ofSource: MUCH },
  organizations: [
    {
      name: 'acme',
      projects: [
        { name: 'one', members: [{ user: 'alice' }] },
        { name: 'two', members: [{ user: 'bob' }] },
      ],
    },
  ],
});
const IMAGE = 'ghcr.io/neuro-inc/base:latest';
const HEAD = 'kind: batch\ndefaults: { preset: cpu-small, max_parallel: 100000, cache: { strategy: none } }\ntasks:\n';

let services: ServiceProcesses;
let jobs: InstantJobs;
beforeAll(async () => {
  services = await startServices(['api'], CONFIG, { DELOS_ALLOWED_REGISTRIES: 'ghcr.io' });
});
afterAll(async () => {
  await jobs?.stop();
  await services?.stop();
});

/** What it takes of the control API while something is done. */
async function measured(what: () => Promise<void>): Promise<{ readonly seconds: number; readonly memory: number }> {
  const before = await services.processorSeconds('api');
  let memory = 0;
  const looking = setInterval(() => {
    void services.memory('api').then((now) => {
      memory = Math.max(memory, now);
    });
  }, 500);
  try {
    await what();
  } finally {
    clearInterval(looking);
  }
  return { seconds: (await services.processorSeconds('api')) - before, memory };
}

const count = async (table: 'flow_tasks' | 'jobs', where: Readonly<Record<string, string>> = {}): Promise<number> => {
  let query = services.database.db.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('count'));
  for (const [column, value] of Object.entries(where))
    query = query.where(column as 'status', '=', value as 'succeeded');
  return Number((await query.executeTakeFirstOrThrow()).count);
};
const settled = (bake: string): Promise<{ result: string } | undefined> =>
  services.database.db
    .selectFrom('flow_attempts')
    .select('result')
    .where('bake', '=', bake)
    .where('settled_at', 'is not', null)
    .executeTakeFirst();

test(`a bake of ${TASKS} tasks ends: all of them at once, where a thousand jobs may wait`, async () => {
  const rows = Array.from(
    { length: TASKS / 250 },
    (_, wave) =>
      `  - { id: "w${wave}r\${{ matrix.r }}", image: "${IMAGE}", needs: [], bash: "echo", strategy: { matrix: { r: "\${{ range(250) }}" } } }\n`,
  ).join('');
  jobs = instantJobs(services.database, 500);
  const { seconds, memory } = await measured(async () => {
    const made = await flowRequests(services)('POST', 'bakes/submit', submission(HEAD + rows));
    expect(made.status, made.status === 201 ? '' : (await services.log('api')).slice(-3000)).toBe(201);
    const end = await until('the end of the bake', 1200, async (last) => {
      last([jobs.ended(), services.ended('api')]);
      return settled(made.json.id);
    });
    expect(end.result).toBe('succeeded');
  });
  expect([await count('flow_tasks', { status: 'succeeded' }), jobs.ended()]).toEqual([TASKS, TASKS]);
  console.log(`${((seconds / TASKS) * 1000).toFixed(2)} ms of processor a task, ${Math.round(memory / MIB)} MiB`);
  expect(seconds / TASKS).toBeLessThan(0.03);
  expect(memory).toBeLessThan(256 * MIB);
  await jobs.stop();
});

test(`${BAKES} bakes of one project are carried out at once, and one of another project does not wait for them`, async () => {
  const two = `${HEAD}  - { id: a, image: "${IMAGE}", bash: echo }\n  - { id: b, image: "${IMAGE}", bash: echo }\n`;
  const ask = flowRequests(services);
  for (let made = 0; made < BAKES; made += 20) {
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, nth) =>
        ask('POST', 'bakes/submit', submission(two, { flow: `flow${Math.floor((made + nth) / 500)}` })),
      ),
    );
    expect(all.map(({ status }) => status)).toEqual(Array(20).fill(201));
  }
  const open = async (): Promise<number> =>
    Number(
      (
        await services.database.db
          .selectFrom('flow_attempts')
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('settled_at', 'is', null)
          .executeTakeFirstOrThrow()
      ).count,
    );
  expect(await open()).toBe(BAKES);
  let ahead = 0;
  const { seconds, memory } = await measured(async () => {
    jobs = instantJobs(services.database, 200);
    const late = await flowRequests(services, 'bob')('POST', 'bakes/submit', submission(two, { project_name: 'two' }));
    await until('the end of the other project’s bake', 120, () => settled(late.json.id));
    ahead = BAKES - (await open());
    await until('the end of all bakes', 1200, async (last) => {
      const left = await open();
      last([left, jobs.ended(), services.ended('api')]);
      return left === 0 || undefined;
    });
  });
  console.log(
    `${ahead} of ${BAKES} had ended before; ${((seconds / BAKES) * 1000).toFixed(2)} ms of processor a bake, ${Math.round(memory / MIB)} MiB`,
  );
  expect(ahead).toBeLessThan(BAKES / 2);
  expect(jobs.ended()).toBe(BAKES * 2 + 2);
  expect(memory).toBeLessThan(256 * MIB);
});
