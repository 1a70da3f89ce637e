import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mirrorStore, resolveTool, withRegistry } from '@delos/cluster';
import { instancePaths, silent } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { bakeIn, type FlowClient, flowClient } from '../../support/bakes/flow-client.ts';
import { delos, delosJson, kubectl, TEST_INSTANCE, testPlatform, token } from '../../support/instance.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';
import { IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/*
 * On the embedded cluster: an image that a bake builds, a schedule at times, one by changes of files that a job writes, and a live job
 * that is opened in a browser. By the unmodified apolo-flow, and by `delos flow`.
 */

let ann: FlowClient;
let mine: Crane;
let base: string;
let here: string;

const FILES = {
  '.apolo/project.yml': 'id: parts\nproject_name: default\n',
  '.apolo/build.yml': `kind: batch
defaults: { preset: tiny, cache: { strategy: none } }
params: { changes: none }
images:
  own: { ref: "image:parts:1", context: box, dockerfile: box/Dockerfile, build_preset: small }
tasks:
  - { id: a, image: "\${{ images.own.ref }}", cmd: cat /word }
  - { id: b, image: "\${{ images.own.ref }}", bash: "echo '\${{ params.changes }}'" }
`,
  'box/word': 'carried in\n',
  '.apolo/live.yml': `kind: live
jobs:
  page: { image: "IMAGE", preset: tiny, http_port: 8000, http_auth: false, browse: true, detach: true, cmd: "python3 -m http.server 8000" }
  writer: { image: "IMAGE", preset: tiny, volumes: ["storage:arrived:/in:rw"], bash: "echo 1 > /in/one.csv" }
`,
};

beforeAll(async () => {
  const { apiUrl, origin } = await testPlatform();
  const { host } = new URL(origin);
  const file = '/etc/delos-builder/builder.json';
  const read = [
    'exec',
    '--namespace',
    'delos',
    'deploy/control-api',
    '--',
    'node',
    '-p',
    `fs.readFileSync('${file}', 'utf8')`,
  ];
  await until('the control API knows the builder', 180, async () => kubectl(read).catch(() => undefined));
  ann = await flowClient();
  await ann.apolo.ok(['config', 'login-with-token', await token('ann'), apiUrl]);
  await ann.apolo.ok(['config', 'switch-project', 'default']);
  mine = await crane(host, { user: 'token', password: await token('ann') });
  base = `${host}/default/default/base:1`;
  const { path } = await resolveTool('registry', silent);
  await withRegistry(path, mirrorStore(instancePaths(TEST_INSTANCE, process.env)), (from) =>
    mine.ok('copy', `${from}/${IMAGE}:latest`, base),
  );
  const files = { ...FILES, 'box/Dockerfile': `FROM ${base}\nCOPY word /word\n` };
  here = await ann.workspace(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [name, text.replaceAll('IMAGE', base)])),
  );
});
afterAll(async () => {
  await ann?.close();
  await mine?.stop();
});

const runs = async (name: string) => {
  const shape = z.object({
    schedules: z.array(
      z.object({
        name: z.string(),
        runs: z.array(z.object({ cause: z.string(), outcome: z.string(), bake: z.string().nullable() })),
      }),
    ),
  });
  const { schedules } = await delosJson(shape, ['flow', 'schedule', 'ls', '--as', 'ann']);
  return schedules.find((each) => each.name === name)?.runs ?? [];
};
const succeeded = async (bake: string): Promise<void> => {
  const { code, stdout, stderr } = await delos(['flow', 'inspect', bake, '--follow', '--as', 'ann']);
  expect(code, stdout + stderr).toBe(0);
};

test('an image is built in a bake of the official client, and its tasks start from it', async () => {
  const { code, stdout, stderr } = await ann.run(here, ['bake', 'build'], { timeout: 400 });
  expect(code, `${stdout}${stderr}`).toBe(0);
  const bake = bakeIn(`${stdout}${stderr}`);
  expect(await ann.ok(here, ['inspect', bake])).toMatch(/image:parts:1 +│ built/);
  expect(await ann.ok(here, ['show', bake, 'a'])).toContain('carried in');
});

test('a schedule is added, run and due by the command; the image is there', async () => {
  const at = join(here, '.apolo/build.yml');
  const added = await delos([
    'flow',
    'schedule',
    'add',
    'each-minute',
    at,
    '--cron',
    '* * * * *',
    '--as',
    'ann',
    '--project',
    'default',
  ]);
  expect(added.code, added.stdout + added.stderr).toBe(0);
  const bake = await until('a run that was due', 100, async () => {
    const [run] = await runs('each-minute');
    return run?.outcome === 'baked' ? (run.bake ?? undefined) : undefined;
  });
  expect((await delos(['flow', 'schedule', 'rm', 'each-minute', '--as', 'ann'])).code).toBe(0);
  await succeeded(bake);
  const shown = await ann.ok(here, ['inspect', bake]);
  expect(shown).toMatch(/image:parts:1 +│ cached/);
});

test('what a job writes through its mount makes one bake, which is told of it', async () => {
  const at = join(here, '.apolo/build.yml');
  const files = ['--storage', 'storage:arrived', '--pattern', '**/*.csv', '--quiet', '5', '--changes-to', 'changes'];
  const added = await delos([
    'flow',
    'schedule',
    'add',
    'arrived',
    at,
    ...files,
    '--as',
    'ann',
    '--project',
    'default',
  ]);
  expect(added.code, added.stdout + added.stderr).toBe(0);
  await until('it was looked at', 60, async () => {
    const shape = z.object({
      schedules: z.array(z.object({ storage: z.object({ looked_at: z.string().nullable() }).nullable() })),
    });
    const { schedules } = await delosJson(shape, ['flow', 'schedule', 'ls', '--as', 'ann']);
    return schedules[0]?.storage?.looked_at ?? undefined;
  });
  await ann.ok(here, ['run', 'writer'], { timeout: 200 });
  const bake = await until('a bake of the change', 90, async () => (await runs('arrived'))[0]?.bake ?? undefined);
  await succeeded(bake);
  expect(await ann.ok(here, ['show', bake, 'b'])).toContain(
    '"path": "one.csv", "change": "made"'.replaceAll(': ', ':').replaceAll(', ', ','),
  );
  expect(await runs('arrived')).toHaveLength(1);
  expect((await delos(['flow', 'schedule', 'rm', 'arrived', '--as', 'ann'])).code).toBe(0);
});

test('a live job is opened in a browser, by its own address', async () => {
  const opened = join(ann.apolo.home, 'opened');
  const browser = join(ann.apolo.home, 'bin/browser');
  await mkdir(dirname(browser), { recursive: true });
  await writeFile(browser, `#!/bin/sh\necho "$1" >> ${opened}\n`, { mode: 0o755 });
  const { code, stdout, stderr } = await ann.run(here, ['run', 'page'], { timeout: 200, env: { BROWSER: browser } });
  expect(code, stdout + stderr).toBe(0);
  expect(stdout + stderr).toMatch(/https?:\/\/[a-z0-9-]+\./);
  await ann.ok(here, ['kill', 'page']);
});
