import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMAGE_SAVER, NODE_NAMESPACE } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import { expectOk } from '../../../peers/src/command.ts';
import { delos, kubectl, loggedIn, TEST_CONFIG, testPlatform } from '../../support/instance.ts';
import { until } from '../../support/until.ts';

/* `apolo job save` by the unmodified client on the embedded cluster, and a job that starts from what was saved. */

let folder: string;
let ann: ApoloClient;

beforeAll(async () => {
  await testPlatform();
  folder = await mkdtemp(join(tmpdir(), 'delos-save-'));
  const config = await readFile(TEST_CONFIG, 'utf8');
  const services = 'services:\n';
  expect(config).toContain(services);
  const file = join(folder, 'delos.yaml');
  await writeFile(file, config.replace(services, `${services}  imageSaver: { enabled: true }\n`));
  await expectOk(delos(['up', '--config', file]));
  await until('one runs on the node', 180, async (last) => {
    const status = ['--output', 'jsonpath={.items[*].status.containerStatuses[*].ready}'];
    const ready = await kubectl([
      'get',
      'pods',
      '-n',
      NODE_NAMESPACE,
      '-l',
      `app.kubernetes.io/name=${IMAGE_SAVER}`,
      ...status,
    ]);
    last(ready);
    return ready === 'true' ? true : undefined;
  });
  ann = await loggedIn('ann');
});
afterAll(async () => {
  await ann?.close();
  if (folder === undefined) return;
  // Other files of the run have the platform as it was.
  await expectOk(delos(['up', '--config', TEST_CONFIG]));
  await rm(folder, { recursive: true });
});

test('a job starts from an image of another one’s container, and finds what that has written', async () => {
  const script = 'echo written by a job >/kept; rm /etc/hostname; touch /done; sleep 600';
  await ann.ok(['run', '--detach', '-s', 'tiny', '--name', 'saved', 'ubuntu', '--', 'sh', '-c', script], {
    timeout: 300,
  });
  await until('it has written', 60, async () =>
    (await ann.run(['exec', '--no-tty', 'saved', '--', 'ls', '/done'])).code === 0 ? true : undefined,
  );
  const saved = await ann.run(['job', 'save', 'saved', 'image:of-a-job:1'], { timeout: 300 });
  expect(saved, saved.stdout + saved.stderr).toMatchObject({ code: 0 });
  expect(saved.stdout).toMatch(/Image created[\s\S]*of-a-job:1/);
  const told = await ann.ok(['run', '-s', 'tiny', 'image:of-a-job:1', '--', 'cat', '/kept'], { timeout: 300 });
  expect(told).toContain('written by a job');
  await ann.ok(['kill', 'saved']);
  const refused = await ann.run(['job', 'save', 'saved', 'image:of-a-job:2']);
  expect(refused.code).not.toBe(0);
  expect(refused.stdout + refused.stderr).toContain('has ended');
});

test('what saves has one right, and no token of Kubernetes', async () => {
  const pods = JSON.parse(
    await kubectl([
      'get',
      'pods',
      '-n',
      NODE_NAMESPACE,
      '-l',
      `app.kubernetes.io/name=${IMAGE_SAVER}`,
      '--output',
      'json',
    ]),
  );
  const [{ spec }] = pods.items;
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.containers[0].securityContext.capabilities).toEqual({
    add: ['DAC_READ_SEARCH', 'SETUID'],
    drop: ['ALL'],
  });
  for (const { hostPath, name } of spec.volumes) {
    if (hostPath === undefined) continue;
    const mount = spec.containers[0].volumeMounts.find((each: { name: string }) => each.name === name);
    expect(mount.readOnly).toBe(true);
  }
});
