import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { flowRequests, submission } from '../../support/bakes/flow-requests.ts';
import { type ProcessAgent, processAgent } from '../../support/bakes/process-agent.ts';
import { type ServiceProcesses, startServices } from '../../support/edge/service-processes.ts';
import { TEST_CONFIG } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/*
 * The control API as a process, killed again and again while it carries out a bake. Jobs are processes of this machine, which
 * go on.
 */

const KILLS = 20;
const ROWS = 58;
const IMAGE = 'ghcr.io/neuro-inc/base:latest';
let services: ServiceProcesses;
let agent: ProcessAgent;

beforeAll(async () => {
  services = await startServices(['api'], TEST_CONFIG, { DELOS_ALLOWED_REGISTRIES: 'ghcr.io' });
  agent = await processAgent(services.database, new PostgresLogStore(services.database, TEST_CONFIG.logs));
});
afterAll(async () => {
  await agent?.stop();
  await services?.stop();
});

const FLOW = `kind: batch
defaults: { preset: cpu-small, cache: { strategy: none } }
tasks:
  - { id: first, image: "${IMAGE}", bash: "echo '::set-output name=n::7'" }
  - id: r\${{ matrix.n }}
    needs: [first]
    image: ${IMAGE}
    strategy: { matrix: { n: "\${{ range(${ROWS}) }}" }, max_parallel: 4 }
    bash: sleep 1; echo '::set-output name=n::\${{ needs.first.outputs.n }}'
  - id: sum
    image: ${IMAGE}
    bash: echo '::set-output name=all::\${{ join(" ", [needs[x].outputs.n for x in needs]) }}'
`;

test(`a bake of ${ROWS + 2} tasks outlives ${KILLS} kills of its control API: each task has one job, no output is lost`, async () => {
  const made = await flowRequests(services)('POST', 'bakes/submit', submission(FLOW));
  expect(made.status, JSON.stringify(made.json)).toBe(201);
  const ended = async (): Promise<number> =>
    Number(
      (
        await services.database.db
          .selectFrom('flow_tasks')
          .select((eb) => eb.fn.countAll<number>().as('count'))
          .where('status', '=', 'succeeded')
          .executeTakeFirstOrThrow()
      ).count,
    );
  const at: number[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Each one is let come to life, and is killed in the middle of whatever it does then.
    await until('the control API serves', 60, async () =>
      fetch(`http://127.0.0.1:${services.internal.api}/health/live`).then(
        ({ ok }) => ok || undefined,
        () => undefined,
      ),
    );
    await sleep(100 + ((kill * 337) % 1_500));
    at.push(await ended());
    await services.kill('api');
    services.start('api');
  }
  const settled = await until('the end of the bake', 240, async (last) => {
    last({ ended: await ended() });
    return services.database.db
      .selectFrom('flow_attempts')
      .select('result')
      .where('settled_at', 'is not', null)
      .executeTakeFirst();
  });
  expect(settled.result).toBe('succeeded');
  const tasks = await services.database.db.selectFrom('flow_tasks').selectAll().execute();
  expect(tasks.length).toBe(ROWS + 2);
  expect(new Set(tasks.map(({ status }) => status))).toEqual(new Set(['succeeded']));
  expect(tasks.find((task) => task.yaml_id === 'sum')?.outputs).toEqual({ all: Array(ROWS).fill('7').join(' ') });
  expect(agent.started.toSorted()).toEqual(tasks.map(({ raw_id: id }) => id).toSorted());
  // Most kills came while there was something left to lose.
  expect(at.filter((done) => done < ROWS + 2).length).toBeGreaterThanOrEqual(KILLS / 2);
});
