import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FILE_STORAGE_USER } from '@delos/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { carryOutBakes } from '../../../runtime/service/src/api/bakes/index.ts';
import { podRemoved, recordObservation, sealLogs } from '../../../runtime/service/src/db/jobs-state.ts';
import { bakeIn, type FlowClient, flowClient } from '../../support/bakes/flow-client.ts';
import { BUILDER, type BuildPlatform, buildPlatform } from '../../support/registry/build-platform.ts';
import { carryOutNext, waitingJob } from '../../support/registry/builder-container.ts';
import { observation } from '../../support/service/observer.ts';
import { until } from '../../support/until.ts';

/*
 * Images that a bake builds: registry, builder, files, gateway, control API and engine are real, as is the official client.
 * What stands for scheduler and node is `carryOutNext`, which runs the builder as a container would.
 */

const MAIN = join(import.meta.dirname, '../../../cli/src/main.ts');
let platform: BuildPlatform;
let client: FlowClient;
let engine: { close(): Promise<void> };
let home: string;

beforeAll(async () => {
  [platform, client, home] = await Promise.all([
    buildPlatform(),
    flowClient(),
    mkdtemp(join(tmpdir(), 'delos-builds-')),
  ]);
  await platform.database.notifications.start();
  engine = carryOutBakes(platform.api.deps);
  const token = await platform.issuer.token('alice');
  await writeFile(join(home, 'token'), token);
  await client.apolo.ok(['config', 'login-with-token', token, `http://${platform.host}/api/v1`]);
  await client.apolo.ok(['config', 'switch-project', 'one']);
  await (await platform.as('alice')).push(`${platform.host}/acme/one/base:1`, 'base');
});
afterAll(async () => {
  await engine?.close();
  await client?.close();
  await platform?.stop();
  if (home !== undefined) await rm(home, { recursive: true, force: true });
});
beforeEach(async () => {
  await until('nothing is left of the test before', 20, () =>
    platform.database.db
      .deleteFrom('flow_projects')
      .execute()
      .then(
        () => true,
        () => undefined,
      ),
  );
  await until('no job is left', 30, async () => {
    const open = await platform.database.db.selectFrom('jobs').select('id').where('phase', '=', 'queued').execute();
    for (const { id } of open) await platform.api.request('alice', 'DELETE', `/jobs/${id}`);
    return open.length === 0 || undefined;
  });
});

const ask = (method: string, path: string, body?: unknown) =>
  platform.api.request('alice', method, `/flow/${path}`, body);
const task = (id: string, image: string, more = ''): string =>
  `  - { id: ${id}, image: "${image}", preset: cpu-small, cmd: run, cache: { strategy: none }${more} }\n`;
const flow = (name: string, tasks: string, more = ''): string => `kind: batch
defaults: { fail_fast: false }
images:
  made:
    ref: image:${name}:1
    context: storage:${name}
    dockerfile: storage:${name}/Dockerfile
    build_args: ["A=one two"]
${more}tasks:
${tasks}`;
const BOTH = task('a', '${{ images.made.ref }}', ', needs: []') + task('b', '${{ images.made.ref }}', ', needs: []');

async function stored(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(platform.files.data, 'acme/one', name);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  const all = join(platform.files.data, 'acme');
  await expectOk(execute(['chown', '-R', `${FILE_STORAGE_USER}:${FILE_STORAGE_USER}`, all]));
  await expectOk(execute(['chmod', '-R', 'g+rwX', all]));
}
const submit = async (content: string): Promise<string> => {
  const made = await ask('POST', 'bakes/submit', {
    ...{ org_name: 'acme', project_name: 'one', flow: 'mine', batch: 'main', workspace: '/w' },
    flow_file: { filename: '/w/main.yml', content },
  });
  expect(made.status, made.text).toBe(201);
  return made.json.id;
};
/** Ends the next job that waits, which is a task's, as one that succeeds. @returns the image that it ran */
async function endTask(): Promise<string> {
  const { database, api } = platform;
  const { id, spec } = await waitingJob(platform);
  const startedAt = new Date().toISOString();
  const key = { jobId: id, podUid: `uid-${id}`, attempt: 0 };
  const facts = { startedAt };
  await database.tx((tx) => recordObservation(tx, id, observation(id, facts)));
  const ended = { ...facts, phase: 'succeeded', exitCode: 0, finishedAt: startedAt, ofItself: true } as const;
  await database.tx((tx) => recordObservation(tx, id, observation(id, ended)));
  await api.deps.logs.finish(key, { offset: 0, complete: true });
  await database.tx(async (tx) => {
    await sealLogs(tx, id, true);
    await podRemoved(tx, id, { run: 0, podUid: key.podUid });
  });
  return spec.pod.image;
}
const settled = (id: string): Promise<{ result: string; tasks: { id: string; status: string; reason: string }[] }> =>
  until('the end of the bake', 60, async () => {
    const { json } = await ask('GET', `bakes/${id}/report`);
    return json.settled === true ? json : undefined;
  });
const images = async (bake: string): Promise<readonly { ref: string; status: string; builder_job_id: string }[]> =>
  (await ask('GET', `bake_images?bake_id=${bake}`)).json;
const statuses = (report: { tasks: readonly { id: string; status: string }[] }): Record<string, string> =>
  Object.fromEntries(report.tasks.map(({ id, status }) => [id, status]));

describe('an image of a bake', () => {
  test('is built once for all that need it, before they start; the next bake finds it, and one that is forced builds again', async () => {
    await stored('first', {
      Dockerfile: `FROM ${platform.host}/acme/one/base:1\nARG A\nLABEL a=$A\nCOPY file /content\n`,
      file: 'built',
    });
    const bake = await submit(flow('first', BOTH));
    const built = await carryOutNext(platform);
    expect(built.result.code, built.result.stderr).toBe(0);
    expect(built.desire.spec.pod).toMatchObject({ image: BUILDER, org: 'acme', project: 'one', owner: 'alice' });
    expect(built.desire.spec.pod.files?.map(({ path }) => path)).toEqual(['/kaniko_context']);
    const own = `${platform.host}/acme/one/first:1`;
    expect([await endTask(), await endTask()]).toEqual([own, own]);
    expect(statuses(await settled(bake))).toEqual({ a: 'succeeded', b: 'succeeded' });
    expect(await images(bake)).toMatchObject([
      { ref: 'image:first:1', status: 'built', builder_job_id: built.desire.id, yaml_defs: ['made'] },
    ]);
    const crane = await platform.as('alice');
    expect((await crane.content(own)).stdout).toBe('built');
    expect(JSON.parse(await crane.ok('config', own)).config.Labels).toEqual({ a: 'one two' });

    const again = await submit(flow('first', BOTH));
    expect([await endTask(), await endTask()]).toEqual([own, own]);
    expect((await settled(again)).result).toBe('succeeded');
    expect(await images(again)).toMatchObject([{ status: 'cached', builder_job_id: null }]);

    await stored('first', { file: 'other' });
    const forced = await submit(flow('first', BOTH, '    force_rebuild: true\n'));
    expect((await carryOutNext(platform)).result.code).toBe(0);
    await endTask();
    await endTask();
    expect((await settled(forced)).result).toBe('succeeded');
    expect((await crane.content(own)).stdout).toBe('other');
  });

  test('that cannot be built fails what needs it, in words, and a restart builds it anew', async () => {
    await stored('broken', { Dockerfile: `FROM ${platform.host}/acme/one/base:1\nCOPY missing /content\n` });
    const bake = await submit(flow('broken', BOTH));
    const failed = await carryOutNext(platform);
    expect(failed.result.code).not.toBe(0);
    expect(statuses(await settled(bake))).toEqual({ a: 'failed', b: 'failed' });
    expect(await images(bake)).toMatchObject([{ status: 'build_failed', builder_job_id: failed.desire.id }]);
    const { executor_id: executor } = (await ask('GET', `bakes/${bake}/report`)).json.attempts[0];
    const log = await platform.api.deps.logs.chunks({ jobId: executor, attempt: 0, offset: 0 }, 4);
    const text = Buffer.concat(await Promise.all(log.map((chunk) => chunk.bytes()))).toString();
    expect(text).toContain(`image image:broken:1 could not be built: its job failed; apolo logs ${failed.desire.id}`);

    await stored('broken', { missing: 'there now' });
    const more = await ask('POST', `bakes/${bake}/restart`, {});
    expect(more.status, more.text).toBe(201);
    expect((await carryOutNext(platform)).result.code).toBe(0);
    await endTask();
    await endTask();
    expect((await settled(bake)).result).toBe('succeeded');
  });

  test('is built no further when its bake is cancelled, and the bake has ended only then', async () => {
    await stored('slow', { Dockerfile: `FROM ${platform.host}/acme/one/base:1\n` });
    const bake = await submit(flow('slow', BOTH));
    const { id } = await waitingJob(platform);
    expect((await ask('POST', `bakes/${bake}/cancel`)).status).toBe(200);
    const stopping = await until('the build is stopped', 20, async () => {
      const { json } = await platform.api.request('alice', 'GET', `/jobs/${id}`);
      return json.status === 'cancelled' ? json : undefined;
    });
    expect(stopping.history.description).toContain(bake);
    expect(statuses(await settled(bake))).toEqual({ a: 'skipped', b: 'skipped' });
  });

  test('of nothing, or of another project, fails its task and no other', async () => {
    const nowhere = await submit(
      `kind: batch\ndefaults: { fail_fast: false }\nimages: { none: { ref: "image:none:1" } }\ntasks:\n${task('a', '${{ images.none.ref }}', ', needs: []')}${task('b', `${platform.host}/acme/one/base:1`, ', needs: []')}`,
    );
    await endTask();
    expect(statuses(await settled(nowhere))).toEqual({ a: 'failed', b: 'succeeded' });
    await stored('theirs', { Dockerfile: `FROM ${platform.host}/acme/one/base:1\n` });
    const theirs = await submit(
      `kind: batch\nimages: { x: { ref: "image:/two/x:1", context: storage:theirs, dockerfile: storage:theirs/Dockerfile, force_rebuild: true } }\ntasks:\n${task('a', '${{ images.x.ref }}')}`,
    );
    expect(statuses(await settled(theirs))).toEqual({ a: 'failed' });
    expect(await platform.database.db.selectFrom('jobs').select('id').where('phase', '=', 'queued').execute()).toEqual(
      [],
    );
  });
});

const LOCAL = `kind: batch
defaults: { preset: cpu-small, cache: { strategy: none } }
images:
  own: { ref: "image:local:2", context: box, dockerfile: box/deep/Dockerfile }
tasks:
  - { id: a, image: "\${{ images.own.ref }}", cmd: run }
`;

test('a folder of the user’s machine is sent along by `delos flow bake`', async () => {
  const folder = join(home, 'mine');
  const files = {
    '.apolo/project.yml': 'id: sent\nproject_name: one\n',
    '.apolo/build.yml': LOCAL,
    'box/deep/Dockerfile': `FROM ${platform.host}/acme/one/base:1\nCOPY sub/ü.txt /content\n`,
    'box/sub/ü.txt': 'from here',
  };
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  const args = [
    'flow',
    'bake',
    folder,
    '--json',
    '--url',
    `http://${platform.host}`,
    '--token-file',
    join(home, 'token'),
  ];
  const run = new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const env = { PATH: process.env.PATH, HOME: home };
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', MAIN, ...args],
      { env, cwd: home },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
  const first = await Promise.race([run, carryOutNext(platform)]);
  if (!('desire' in first)) throw new Error(first.stdout + first.stderr);
  expect(first.result.code, first.result.stderr).toBe(0);
  await endTask();
  const { code, stdout, stderr } = await run;
  expect(code, stdout + stderr).toBe(0);
  expect((await (await platform.as('alice')).content(`${platform.host}/acme/one/local:2`)).stdout).toBe('from here');
});

test('a bake of the official client, handed over, has its images built, and `inspect` shows them', async () => {
  const at = await client.workspace({
    '.apolo/project.yml': 'id: theirs\nproject_name: one\n',
    '.apolo/build.yml': LOCAL.replace('image:local:2', 'image:official:1'),
    'box/deep/Dockerfile': `FROM ${platform.host}/acme/one/base:1\nCOPY word /content\n`,
    'box/word': 'sent by apolo-flow',
  });
  const running = client.run(at, ['bake', 'build'], { timeout: 240 });
  const first = await Promise.race([running, carryOutNext(platform)]);
  if (!('desire' in first)) throw new Error(first.stdout + first.stderr);
  expect(first.result.code, first.result.stderr).toBe(0);
  await endTask();
  const { code, stdout, stderr } = await running;
  expect(code, stdout + stderr).toBe(0);
  const shown = await client.ok(at, ['inspect', bakeIn(stdout)]);
  expect(shown).toContain('image:official:1');
  expect(shown).toMatch(/built/);
  const text = (await (await platform.as('alice')).content(`${platform.host}/acme/one/official:1`)).stdout;
  expect(text).toBe('sent by apolo-flow');
});

test('`apolo-flow build` builds an image of live.yml', async () => {
  const at = await client.workspace({
    '.apolo/project.yml': 'id: live\nproject_name: one\n',
    '.apolo/live.yml': `kind: live
images:
  own: { ref: "image:live:1", context: box, dockerfile: box/Dockerfile, build_preset: cpu-small }
jobs:
  none: { image: "\${{ images.own.ref }}" }
`,
    'box/Dockerfile': `FROM ${platform.host}/acme/one/base:1\nCOPY word /content\n`,
    'box/word': 'for a live job',
  });
  const running = client.run(at, ['build', 'own'], { timeout: 240 });
  const first = await Promise.race([running, carryOutNext(platform)]);
  if (!('desire' in first)) throw new Error(first.stdout + first.stderr);
  expect(first.result.code, first.result.stderr).toBe(0);
  const { code, stdout, stderr } = await running;
  expect(code, stdout + stderr).toBe(0);
  const text = (await (await platform.as('alice')).content(`${platform.host}/acme/one/live:1`)).stdout;
  expect(text).toBe('for a live job');
});
