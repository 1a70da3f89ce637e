import { platformConfig } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestCluster, testCluster } from '../../support/cluster/cluster.ts';
import { makePriorityClasses } from '../../support/cluster/priority-classes.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { type RuntimeStack, SERVICES, startRuntime } from '../../support/service/runtime-stack.ts';
import { until } from '../../support/until.ts';

/* A preempted job on a real kubelet, while the services that act on it are killed; and a job whose node is drained. */

const CLUSTER = 'runs-test';
const config = platformConfig.parse({
  presets: [
    { name: 'spot', cpu: 0.02, memory: '64Mi', nvidiaGpu: { count: 2 }, preemptible: true },
    { name: 'gpu', cpu: 0.02, memory: '64Mi', nvidiaGpu: { count: 1 } },
  ],
  organizations: [{ name: 'default', projects: [{ name: 'default' }, { name: 'served', guarantee: { gpu: 1 } }] }],
});

let postgres: TestPostgres;
let cluster: TestCluster;
let stack: RuntimeStack;

beforeAll(async () => {
  postgres = await startPostgres();
  cluster = await testCluster();
  await makePriorityClasses(cluster);
  stack = await startRuntime(postgres, cluster, { cluster: CLUSTER, config });
});
afterAll(async () => {
  await stack?.stop();
  await cluster?.kubectl(['delete', 'pods', '-A', '-l', `delos.dev/cluster=${CLUSTER}`, '--wait=false']);
  await postgres?.stop();
});

const row = async (id: string) =>
  stack.database.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const leaves = (id: string, phases: readonly string[]): Promise<unknown> =>
  until(`${id} is no more ${phases}`, 120, async (last) => {
    const { phase, run } = await row(id);
    last({ phase, run });
    return phases.includes(phase) ? undefined : true;
  });

describe('on a real kubelet', () => {
  test('a preempted job comes back though all services that act on it are killed at each step', async () => {
    const kill = (): Promise<unknown> => Promise.all(SERVICES.map((service) => stack.kill(service)));
    const command = `sh -c 'trap "echo told; exit 0" TERM; echo begins; sleep 12 & wait; echo done'`;
    const image = 'ghcr.io/neuro-inc/base';
    const id = await stack.run({ image, preset_name: 'spot', command });
    await stack.reaches(id, 'running');
    const claim = await stack.run({ image, preset_name: 'gpu', project_name: 'served', command: 'sleep 1' });
    await leaves(id, ['running']);
    await kill();
    await leaves(id, ['running', 'stopping']);
    await kill();
    await leaves(id, ['running', 'stopping', 'ended', 'archived']);
    await kill();
    expect(await row(id)).toMatchObject({ run: 1, past_pods: [expect.any(String)] });
    await stack.reaches(claim, 'succeeded');
    await leaves(id, ['queued']);
    await kill();
    await stack.reaches(id, 'succeeded');
    await until('its Pod is gone', 120, async (last) => {
      const { phase } = await row(id);
      last(phase);
      return phase === 'gone' ? true : undefined;
    });
    expect((await stack.log(id)).toString()).toBe('begins\ntold\nbegins\ndone\n');
    const ended = await row(id);
    expect(ended).toMatchObject({ run: 1, restarts: 1, logs_complete: true, exit_code: 0 });
    expect(ended.past_pods).not.toContain(ended.pod_uid);
  });

  /** What `kubectl drain` asks for each Pod of a node. */
  const evict = async (id: string): Promise<void> => {
    const { namespace } = (await row(id)).spec;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: id, namespace } };
    const path = `/api/v1/namespaces/${namespace}/pods/${id}/eviction`;
    await cluster.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
  };
  // An end without an error, when it is told to: it has not done its work.
  const command = `sh -c 'trap "echo told; exit 0" TERM; echo begins; sleep 8 & wait; echo done'`;
  const image = 'ghcr.io/neuro-inc/base';

  test.each([
    ['its preset is preemptible', { preset_name: 'spot' }],
    ['its user wants it started again', { preset_name: 'gpu', restart_policy: 'on-failure' }],
  ])('a job whose node is drained runs again where %s', async (_why, facts) => {
    const id = await stack.run({ image, command, ...facts });
    await stack.reaches(id, 'running');
    await evict(id);
    const away = await stack.reaches(id, 'suspended');
    expect(away.history).toMatchObject({ reason: 'Evicted', description: 'its node node-1 is being drained' });
    await stack.reaches(id, 'succeeded');
    expect(await row(id)).toMatchObject({ run: 1, restarts: 1, exit_code: 0 });
    expect((await stack.log(id)).toString()).toMatch(/begins\ndone\n$/);
  });

  test('else it has failed, and says why', async () => {
    const id = await stack.run({ image, command, preset_name: 'gpu' });
    await stack.reaches(id, 'running');
    await evict(id);
    const { history } = await stack.reaches(id, 'failed');
    expect(history).toMatchObject({ reason: 'Evicted', description: 'its node node-1 is being drained', exit_code: 0 });
  });
});
