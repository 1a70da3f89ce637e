import { setTimeout as sleep } from 'node:timers/promises';
import { bakeReport } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serviceProcesses } from '../../support/cluster/node.ts';
import { type ContainerStarts, watchContainerStarts } from '../../support/container-starts.ts';
import { testPlatform } from '../../support/instance.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { type Api, api, IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* A bake of real jobs that share a volume, while every service that it has to do with is killed again and again. */

const KILLS = Number(process.env.DELOS_TEST_KILLS ?? 20);
const ROWS = 58;
/** By their names, with the namespace where that is another one. */
const PARTS: Readonly<Record<string, string>> = {
  'control-api': 'delos',
  scheduler: 'delos',
  agent: 'delos',
  collector: 'delos-node',
  postgres: 'delos',
  files: 'delos',
  gateway: 'delos',
  'object-storage': 'delos',
};
const seed = runSeed();

let platform: Api;
let starts: ContainerStarts;
beforeAll(async () => {
  await testPlatform();
  platform = await api('ann');
  starts = await watchContainerStarts();
});
afterAll(() => starts?.stop());

const FLOW = `kind: batch
defaults: { preset: tiny, cache: { strategy: none } }
volumes: { marks: { remote: "storage:kills-${seed}", mount: /marks } }
tasks:
  - { id: first, image: ${IMAGE}, bash: "echo '::set-output name=n::7'" }
  - id: r\${{ matrix.n }}
    needs: [first]
    image: ${IMAGE}
    volumes: ["\${{ volumes.marks.ref_rw }}"]
    strategy: { matrix: { n: "\${{ range(${ROWS}) }}" }, max_parallel: 4 }
    bash: echo begun >> /marks/\${{ matrix.n }}; sleep 8; echo '::set-output name=n::\${{ needs.first.outputs.n }}'
  - id: sum
    image: ${IMAGE}
    volumes: ["\${{ volumes.marks.ref_ro }}"]
    bash: echo 'all \${{ join("", [needs[x].outputs.n for x in needs]) }}'; echo "marks $(cat /marks/* | wc -l)"
`;

test(`a bake of ${ROWS + 2} tasks outlives ${KILLS} kills of each of ${Object.keys(PARTS).length} services, at instants of seed ${seed}`, async () => {
  const made = await platform.call('POST', '/flow/bakes/submit', {
    ...{ org_name: 'default', project_name: 'default', flow: 'kills', batch: 'rows', workspace: '/w' },
    flow_file: { filename: '/w/rows.yml', content: FLOW },
  });
  const text = await made.text();
  expect(made.status, text).toBe(201);
  const id: string = JSON.parse(text).id;
  const report = async () => {
    const response = await platform.call('GET', `/flow/bakes/${id}/report`);
    if (!response.ok) throw new Error(`${response.status}`);
    return bakeReport.parse(await response.json());
  };
  await until('the first rows run', 120, async () => {
    const { tasks } = await report();
    return tasks.filter(({ status }) => status === 'running').length > 1 || undefined;
  });
  const random = seeded(seed);
  const kills = new Map<string, number>();
  let left = ROWS + 2;
  for (
    let round = 0;
    round < KILLS * 3 && Object.keys(PARTS).some((part) => (kills.get(part) ?? 0) < KILLS);
    round += 1
  ) {
    for (const [part, namespace] of Object.entries(PARTS)) {
      if ((kills.get(part) ?? 0) >= KILLS) continue;
      await sleep(random() * 1000);
      const processes = await serviceProcesses(part, namespace);
      let killed = false;
      for (const { pid } of processes) {
        try {
          process.kill(pid, 'SIGKILL');
          killed = true;
        } catch {
          // It ended by itself meanwhile.
        }
      }
      if (killed) kills.set(part, (kills.get(part) ?? 0) + 1);
    }
    const seen = await report().catch(() => undefined);
    if (seen !== undefined) left = seen.tasks.filter(({ status }) => status !== 'succeeded').length;
    console.log(`round ${round + 1}: ${left} tasks are left`);
    // Somebody may have the time to do something.
    await sleep(random() * 4000);
  }
  for (const part of Object.keys(PARTS)) expect(kills.get(part), part).toBeGreaterThanOrEqual(KILLS);
  // Kills came while there was something left to lose.
  expect(left).toBeGreaterThan(0);
  const end = await until('the end of the bake', 600, async (last) => {
    const seen = await report().catch((error: unknown) => last(String(error)));
    if (seen === undefined) return undefined;
    last(seen.tasks.filter(({ status }) => status !== 'succeeded').map((task) => [task.id, task.status, task.reason]));
    return seen.settled ? seen : undefined;
  });
  expect(end.result).toBe('succeeded');
  expect(new Set(end.tasks.map(({ status }) => status))).toEqual(new Set(['succeeded']));
  const counts = await starts.counts();
  for (const { id: task, job } of end.tasks) expect(counts.get(job ?? ''), `containers of ${task}`).toHaveLength(1);
  const log = await until('the log of the last task', 120, () =>
    platform.log(end.tasks.find((task) => task.id === 'sum')?.job ?? '').catch(() => undefined),
  );
  expect(log.toString()).toBe(`all ${'7'.repeat(ROWS)}\nmarks ${ROWS}\n`);
});
