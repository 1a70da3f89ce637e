import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mirrorStore, resolveTool, withRegistry } from '@delos/cluster';
import { instancePaths, projectNamespace, silent } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import { kubectl, loggedIn, TEST_INSTANCE, testPlatform, token } from '../../support/instance.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';
import { IMAGE } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* `apolo-extras image build` by the unmodified client, on the embedded cluster; and a job that starts from what was built. */

const exec = promisify(execFile);
let ann: ApoloClient;
let mine: Crane;
let base: string;

beforeAll(async () => {
  const host = new URL((await testPlatform()).origin).host;
  // It comes after the first job, and the kubelet brings the control API the word of it within two minutes.
  const file = '/etc/delos-builder/builder.json';
  await until('the control API knows the builder', 180, async () =>
    kubectl([
      'exec',
      '--namespace',
      'delos',
      'deploy/control-api',
      '--',
      'node',
      '-p',
      `fs.readFileSync('${file}', 'utf8')`,
    ]).catch(() => undefined),
  );
  ann = await loggedIn('ann', { extras: true });
  mine = await crane(host, { user: 'token', password: await token('ann') });
  base = `${host}/default/default/base:1`;
  const { path } = await resolveTool('registry', silent);
  const store = mirrorStore(instancePaths(TEST_INSTANCE, process.env));
  // Where the images are that this cluster has by itself.
  await withRegistry(path, store, (from) => mine.ok('copy', `${from}/${IMAGE}:latest`, base));
});
afterAll(async () => {
  await ann?.close();
  await mine?.stop();
});

async function context(dockerfile: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = join(ann.home, 'context');
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries({ ...files, Dockerfile: `${dockerfile.join('\n')}\n` })) {
    await writeFile(join(folder, name), content);
  }
  await exec('chown', ['-R', `${ann.user.uid}:${ann.user.uid}`, folder]);
  return folder;
}

test('a job starts from an image that was built in the cluster, as a Pod like all others', async () => {
  const folder = await context(
    [`FROM ${base}`, 'ARG WHO', 'COPY word /word', 'RUN echo "built for $WHO" > /built && id -u && test -d /proc/self'],
    { word: 'brought\n' },
  );
  const built = await ann.extras(['image', 'build', folder, 'image:built:1', '-s', 'small', '--build-arg', 'WHO=ann'], {
    timeout: 300,
  });
  expect(built.code, `${built.stdout}${built.stderr}`).toBe(0);
  expect(await ann.ok(['run', '-s', 'tiny', 'image:built:1', '--', 'cat', '/built', '/word'])).toMatch(
    /built for ann\s+brought/,
  );
  const space = JSON.parse(
    await kubectl(['get', 'namespace', projectNamespace('default', 'default'), '--output', 'json']),
  );
  expect(space.metadata.labels['pod-security.kubernetes.io/enforce']).toBe('baseline');
});

test('a build that fails ends the client so, with the command’s own words', async () => {
  const folder = await context([`FROM ${base}`, 'RUN echo so it was && exit 3']);
  const failed = await ann.extras(['image', 'build', folder, 'image:failed:1', '-s', 'small', '--no-cache'], {
    timeout: 300,
  });
  expect(failed.code).not.toBe(0);
  expect(`${failed.stdout}${failed.stderr}`).toMatch(/so it was[\s\S]*exit status 3/);
});
