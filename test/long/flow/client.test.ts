import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { carryOutBakes } from '../../../runtime/service/src/api/bakes/index.ts';
import { bakeIn, type FlowClient, flowClient } from '../../support/bakes/flow-client.ts';
import { type ProcessAgent, processAgent } from '../../support/bakes/process-agent.ts';
import { type FilesOnApi, filesOnApi } from '../../support/files/file-storage.ts';
import { until } from '../../support/until.ts';

/*
 * The official apolo-flow against the control API and the file storage behind the gateway: every command, and bakes that the
 * client's own executor carries out. Jobs are processes of this machine.
 */

let served: FilesOnApi;
let agent: ProcessAgent;
let alice: FlowClient;

beforeAll(async () => {
  [served, alice] = await Promise.all([filesOnApi(), flowClient()]);
  await served.database.notifications.start();
  agent = await processAgent(served.database, served.api.deps.logs, served.files.data);
  const token = await served.issuer.token('alice');
  await alice.apolo.ok(['config', 'login-with-token', token, `${served.origin}/api/v1`]);
});
afterAll(async () => {
  await alice?.close();
  await agent?.stop();
  await served?.stop();
});
beforeEach(async () => {
  await served.database.db.deleteFrom('flow_projects').execute();
  await served.database.db.deleteFrom('jobs').execute();
});

const IMAGE = 'ghcr.io/neuro-inc/base:latest';
const LIVE = `
kind: live
volumes:
  code: { remote: "storage:mine/code", mount: /code, local: code }
jobs:
  hello:
    image: ${IMAGE}
    detach: true
    bash: echo said by hello; sleep 100
  workers:
    image: ${IMAGE}
    multi: true
    detach: true
    params: { word: none }
    bash: echo said by \${{ multi.suffix }} \${{ params.word }}; sleep 100
`;
const PROJECT = 'id: mine\n';

const tasksOf = async (bake: string): Promise<Readonly<Record<string, string>>> => {
  const rows = await served.database.db
    .selectFrom('flow_tasks')
    .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
    .select(['flow_tasks.yaml_id', 'flow_tasks.status', 'flow_attempts.number'])
    .where('flow_attempts.bake', '=', bake)
    .orderBy('flow_attempts.number')
    .execute();
  return Object.fromEntries(rows.map((row) => [row.yaml_id, row.status]));
};
const outputsOf = async (bake: string, task: string): Promise<unknown> =>
  (
    await served.database.db
      .selectFrom('flow_tasks')
      .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
      .select('flow_tasks.outputs')
      .where('flow_attempts.bake', '=', bake)
      .where('flow_tasks.yaml_id', '=', task)
      .orderBy('flow_attempts.number', 'desc')
      .executeTakeFirstOrThrow()
  ).outputs;
const bakes = async () => await served.database.db.selectFrom('flow_bakes').selectAll().execute();

describe('live jobs', () => {
  test('are run, shown, read and killed', async () => {
    const at = await alice.workspace({ '.apolo/live.yml': LIVE, '.apolo/project.yml': PROJECT });
    expect(await alice.ok(at, ['run', '--dry-run', 'hello'])).toMatch(/^apolo run .*--name=mine-hello/s);
    await alice.ok(at, ['run', 'hello']);
    await alice.ok(at, ['run', 'workers', '-s', 'first', '-p', 'word', 'more']);
    expect((await served.database.db.selectFrom('flow_live_jobs').selectAll().execute()).length).toBe(2);
    expect(await alice.ok(at, ['ps'])).toMatch(/hello.*running.*job-.*workers first.*running/s);
    expect(await alice.ok(at, ['status', 'hello'])).toMatch(/Name\s+mine-hello/);
    expect(await alice.ok(at, ['status', 'workers', 'first'])).toMatch(/multi:first/);
    expect(await alice.ok(at, ['kill', 'hello'])).toContain('Killed job hello');
    expect(await alice.ok(at, ['logs', 'hello'])).toContain('said by hello');
    expect(await alice.ok(at, ['kill', 'ALL'])).toContain('Killed job workers first');
    expect(await alice.ok(at, ['logs', 'workers', 'first'])).toContain('said by first more');
    expect(await alice.ok(at, ['kill', 'hello'])).toContain('is not running');
  });

  test('have volumes, which are made, filled, brought back and emptied', async () => {
    const at = await alice.workspace({
      '.apolo/live.yml': LIVE,
      '.apolo/project.yml': PROJECT,
      'code/a.txt': 'mine\n',
    });
    await alice.ok(at, ['mkvolumes']);
    await alice.ok(at, ['upload', 'code']);
    expect(await readFile(join(served.files.data, 'acme/one/mine/code/a.txt'), 'utf8')).toBe('mine\n');
    await expectOk(execute(['rm', join(at, 'code/a.txt')]));
    await alice.ok(at, ['download', 'ALL']);
    expect(await readFile(join(at, 'code/a.txt'), 'utf8')).toBe('mine\n');
    await alice.ok(at, ['clean', 'code']);
    expect((await alice.apolo.run(['ls', 'storage:mine/code'])).code).toBe(72);
  });
});

const FEATURES = `
kind: batch
defaults: { preset: cpu-small }
params: { word: none }
tasks:
  - id: local
    action: ws:.apolo/local.yml
    needs: []
  - id: first
    needs: [local]
    image: ${IMAGE}
    env: { LOCAL: "\${{ needs.local.outputs.said }}" }
    bash: |
      echo "::set-output name=said::$LOCAL and \${{ params.word }}"
      echo shown
  - id: each_\${{ matrix.n }}
    needs: [first]
    strategy: { matrix: { n: ["1", "2"] } }
    image: ${IMAGE}
    bash: echo "::set-output name=n::\${{ matrix.n }} of \${{ needs.first.outputs.said }}"
  - id: call
    needs: [first]
    action: ws:.apolo/inner.yml
    args: { given: "\${{ needs.first.outputs.said }}" }
  - id: state
    needs: [first]
    action: ws:.apolo/stateful.yml
  - id: never
    needs: [first]
    enable: \${{ needs.first.outputs.said == 'nothing' }}
    image: ${IMAGE}
    bash: echo never
  - id: last
    needs: [each_1, each_2, call]
    image: ${IMAGE}
    bash: echo "::set-output name=all::\${{ needs.call.outputs.result }}; \${{ needs.each_2.outputs.n }}"
`;
const FEATURE_FILES = {
  '.apolo/project.yml': PROJECT,
  '.apolo/features.yml': FEATURES,
  '.apolo/local.yml': `
kind: local
outputs: { said: { descr: what } }
bash: echo "::set-output name=said::here"
`,
  '.apolo/inner.yml': `
kind: batch
inputs: { given: { descr: what } }
outputs:
  result: { value: "\${{ needs.two.outputs.twice }}" }
tasks:
  - id: one
    image: ${IMAGE}
    bash: echo "::set-output name=once::<\${{ inputs.given }}>"
  - id: two
    needs: [one]
    image: ${IMAGE}
    bash: echo "::set-output name=twice::\${{ needs.one.outputs.once }}!"
`,
  '.apolo/stateful.yml': `
kind: stateful
main:
  image: ${IMAGE}
  bash: echo "::save-state name=key::kept"
post:
  image: ${IMAGE}
  bash: echo "::set-output name=found::\${{ state.key }}"
`,
};
const BAKE = ['bake', '--local-executor'];

describe('a bake that the client carries out', () => {
  test('has every feature of the language, is shown, and the second one is cached', async () => {
    const at = await alice.workspace(FEATURE_FILES);
    const told = await alice.ok(at, [...BAKE, '-n', 'nightly', '-t', 'mine', '-p', 'word', 'there', 'features']);
    const id = bakeIn(`${told} ${(await bakes())[0]?.id}`);
    expect(await tasksOf(id)).toEqual({
      ...{ local: 'succeeded', first: 'succeeded', each_1: 'succeeded', each_2: 'succeeded', call: 'succeeded' },
      ...{ 'call.one': 'succeeded', 'call.two': 'succeeded', state: 'succeeded', 'post-state': 'succeeded' },
      ...{ never: 'skipped', last: 'succeeded' },
    });
    expect(await outputsOf(id, 'last')).toEqual({ all: '<here and there>!; 2 of here and there' });
    expect(await outputsOf(id, 'post-state')).toEqual({ found: 'kept' });
    expect((await bakes())[0]).toMatchObject({ id, name: 'nightly', batch: 'features', status: 'succeeded' });

    expect(await alice.ok(at, ['bakes', '--tag', 'mine', '--recent-first'])).toMatch(new RegExp(`${id}.*succeeded`));
    expect(await alice.ok(at, ['bakes', '--since', '1h', '--until', '1s'])).toContain('ID');
    expect(await alice.ok(at, ['inspect', '--dot', '-o', join(at, 'bake.gv'), 'nightly'])).toMatch(
      /call\.two.*succeeded/s,
    );
    expect(await readFile(join(at, 'bake.gv'), 'utf8')).toContain('cluster_call');
    const shown = await alice.ok(at, ['show', 'nightly', 'first']);
    expect([shown.includes('shown'), shown.includes('::set-output')]).toEqual([true, false]);
    expect(await alice.ok(at, ['show', '--raw', id, 'call.one'])).toContain('::set-output name=once');

    const again = await alice.run(at, [...BAKE, '-n', 'nightly', '-p', 'word', 'there', 'features']);
    expect(again.code, again.stderr).toBe(0);
    const second = (await bakes()).find((each) => each.id !== id)?.id ?? '';
    expect(await tasksOf(second)).toMatchObject({
      first: 'cached',
      each_2: 'cached',
      'call.two': 'cached',
      last: 'cached',
    });
    expect(await outputsOf(second, 'last')).toEqual({ all: '<here and there>!; 2 of here and there' });

    await alice.ok(at, ['clear-cache', 'features', 'first']);
    expect(await served.database.db.selectFrom('flow_cache_entries').select('task_id').execute()).not.toContainEqual({
      task_id: 'first',
    });
    await alice.ok(at, ['clear-cache', 'ALL']);
    expect(await served.database.db.selectFrom('flow_cache_entries').select('task_id').execute()).toEqual([]);
    await alice.ok(at, ['delete-flow', 'mine']);
    expect(await bakes()).toEqual([]);
  });

  test('is cancelled, and what always runs still runs', async () => {
    const at = await alice.workspace({
      '.apolo/project.yml': PROJECT,
      '.apolo/long.yml': `
kind: batch
tasks:
  - { id: sleeps, image: "${IMAGE}", bash: sleep 300 }
  - { id: after, image: "${IMAGE}", bash: echo never }
  - { id: cleans, image: "${IMAGE}", enable: "\${{ always() }}", bash: echo "::set-output name=done::yes" }
`,
    });
    const running = alice.start(at, [...BAKE, 'long'], { timeout: 300 });
    const id = await until('its task runs', 60, async () => {
      const [bake] = await bakes();
      return bake !== undefined && (await tasksOf(bake.id)).sleeps === 'running' ? bake.id : undefined;
    });
    // A second one that has not ended may not take its name.
    await alice.ok(at, ['cancel', id]);
    expect((await running.end).code).toBe(130);
    expect(await tasksOf(id)).toEqual({ sleeps: 'cancelled', after: 'skipped', cleans: 'succeeded' });
    expect((await bakes())[0]?.status).toBe('cancelled');
    const twice = await alice.run(at, ['cancel', id]);
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('already stopped')]);
  });

  test('that failed is restarted from there, with what had succeeded', async () => {
    const at = await alice.workspace({
      '.apolo/project.yml': PROJECT,
      '.apolo/fails.yml': `
kind: batch
volumes:
  mine: { remote: "storage:mine/marks", mount: /marks }
tasks:
  - { id: good, image: "${IMAGE}", needs: [], bash: "echo '::set-output name=a::1'", cache: { strategy: none } }
  - id: bad
    image: ${IMAGE}
    needs: []
    volumes: ["\${{ volumes.mine.ref_rw }}"]
    bash: test -e /marks/ready
`,
    });
    const first = await alice.run(at, [...BAKE, 'fails']);
    const [bake] = await bakes();
    const id = bake?.id ?? '';
    expect([first.code, bake?.status]).toEqual([1, 'failed']);
    await alice.apolo.ok(['mkdir', 'storage:mine/marks/ready']);
    const ran = agent.started.length;
    const again = await alice.run(at, ['restart', '--local-executor', id]);
    expect(again.code, again.stderr).toBe(0);
    expect([(await bakes())[0]?.status, await tasksOf(id)]).toEqual([
      'succeeded',
      { good: 'succeeded', bad: 'succeeded' },
    ]);
    expect(agent.started.length - ran).toBeLessThanOrEqual(2);
    expect(await alice.ok(at, ['inspect', '-a', '1', id])).toMatch(/Attempt #1 failed/);
    expect(await outputsOf(id, 'good')).toEqual({ a: '1' });
  });
});

describe('a bake that the platform carries out', () => {
  let engine: { close(): Promise<void> };
  beforeAll(() => {
    engine = carryOutBakes(served.api.deps);
  });
  afterAll(() => engine?.close());

  test('is waited for by the client, shows its tasks, and is inspected and shown as one of the client’s own', async () => {
    const at = await alice.workspace(FEATURE_FILES);
    const { code, stdout, stderr } = await alice.run(at, ['bake', '-p', 'word', 'there', 'features']);
    expect(code, stdout + stderr).toBe(0);
    const [bake] = await bakes();
    const id = bake?.id ?? '';
    expect(bake?.status).toBe('succeeded');
    // As the client's own executor ends it.
    expect(await tasksOf(id)).toEqual({
      ...{ local: 'succeeded', first: 'succeeded', each_1: 'succeeded', each_2: 'succeeded', call: 'succeeded' },
      ...{ 'call.one': 'succeeded', 'call.two': 'succeeded', state: 'succeeded', 'post-state': 'succeeded' },
      ...{ never: 'skipped', last: 'succeeded' },
    });
    expect(await outputsOf(id, 'last')).toEqual({ all: '<here and there>!; 2 of here and there' });
    expect(await outputsOf(id, 'post-state')).toEqual({ found: 'kept' });
    expect(stdout).toContain('Attempt #1 succeeded');
    expect(await alice.ok(at, ['show', id, 'first'])).toContain('shown');
    expect(await alice.ok(at, ['inspect', id])).toMatch(/first.*succeeded/s);
  });

  test('is cancelled by the client, which ends with 130 as its own executor does', async () => {
    const at = await alice.workspace({
      '.apolo/project.yml': PROJECT,
      '.apolo/slow.yml': `kind: batch\ntasks: [{ id: a, image: "${IMAGE}", bash: sleep 30 }]\n`,
    });
    const baking = alice.run(at, ['bake', 'slow']);
    await until('the task to run', 60, async () => {
      const [bake] = await bakes();
      return bake !== undefined && (await tasksOf(bake.id)).a === 'running' ? true : undefined;
    });
    const [bake] = await bakes();
    await alice.ok(at, ['cancel', bake?.id ?? '']);
    expect((await baking).code).toBe(130);
    expect(await tasksOf(bake?.id ?? '')).toEqual({ a: 'cancelled' });
  });
});

test('the example train-eval: three jobs share volumes, and the second bake is cached', async () => {
  const at = await alice.workspace({ 'train-eval/none': '' });
  const example = join(import.meta.dirname, '../../../docs/examples/train-eval');
  const here = join(at, 'train-eval');
  await cp(example, here, { recursive: true });
  await expectOk(execute(['chown', '-R', `${alice.apolo.user.uid}`, here]));
  await alice.ok(here, ['upload', 'ALL']);
  const first = await alice.run(here, [...BAKE, 'train-eval']);
  expect(first.code, first.stdout + first.stderr).toBe(0);
  const [bake] = await bakes();
  const id = bake?.id ?? '';
  expect(await tasksOf(id)).toEqual({ preprocess: 'succeeded', train: 'succeeded', evaluate: 'succeeded' });
  expect(await outputsOf(id, 'evaluate')).toEqual({ error: expect.stringMatching(/^0\.\d{3}$/) });
  expect(JSON.parse(await readFile(join(served.files.data, 'acme/one/train-eval/output/model.pt'), 'utf8'))).toEqual({
    slope: expect.closeTo(2, 1),
    offset: expect.closeTo(1, 0),
  });
  const jobs = agent.started.length;
  const again = await alice.run(here, [...BAKE, 'train-eval']);
  expect(again.code, again.stderr).toBe(0);
  const second = (await bakes()).find((each) => each.id !== id)?.id ?? '';
  expect(await tasksOf(second)).toEqual({ preprocess: 'cached', train: 'cached', evaluate: 'cached' });
  expect(agent.started.length).toBe(jobs);
});
