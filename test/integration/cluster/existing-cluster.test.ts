import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../../peers/src/command.ts';
import { type TestCluster, testCluster } from '../../support/cluster/cluster.ts';
import { delos, delosJson, TEST_CONFIG, TEST_INSTANCE, upDocument } from '../../support/instance.ts';

/** What a first job does without runs on the tests' other platform. */
const LEAST = `monitoring: { enabled: false }
services:
  devpi: { enabled: false }
  objectStorage: { enabled: false }
  registry: { enabled: false }
`;
const OWN = { env: { DELOS_INSTANCE: `${TEST_INSTANCE}-own` }, timeout: 900 };

describe('a cluster that is there already', () => {
  /** The tests' own cluster, which the platform's instance knows only by its kubeconfig: somebody else's. */
  let theirs: TestCluster;
  let before: string;
  let folder: string;
  let config: readonly string[];
  const named = () => ({ ...OWN, env: { ...OWN.env, KUBECONFIG: theirs.handle.kubeconfig } });
  const namespaces = () => theirs.kubectl(['get', 'namespaces', '-o', 'name']);

  beforeAll(async () => {
    await rm(instancePaths(OWN.env.DELOS_INSTANCE, process.env).state, { recursive: true, force: true });
    folder = await mkdtemp(join(tmpdir(), 'delos-existing-'));
    const file = join(folder, 'delos.yaml');
    const text = (await readFile(TEST_CONFIG, 'utf8')).replace('engine: embedded', 'engine: auto');
    await writeFile(file, text.replace(/^services:\n(?: .*\n)+/m, LEAST));
    config = ['--config', file];
    theirs = await testCluster();
    before = await namespaces();
  });
  afterAll(async () => {
    await delos(['down', '--delete-data'], OWN);
    await rm(folder, { recursive: true });
  });

  test('is used only once somebody has named it, since it is not on loopback', async () => {
    const { code, stderr } = await delos(['up', ...config], named());
    expect(code).not.toBe(0);
    expect(stderr).toContain(`--context ${theirs.handle.context}`);
    expect(await namespaces()).toBe(before);
  });

  test('runs the first job, is reached through the API server, is found again, and gets all back', async () => {
    const up = await delosJson(upDocument, ['up', ...config, '--context', theirs.handle.context], named());
    expect(up.firstJob.output).toContain('Hello');
    expect((await fetch(`${up.apiUrl}/config`)).status).toBe(200);

    // From here on nothing names the cluster: the instance knows it.
    const status = await delosJson(z.looseObject({ up: z.boolean(), cluster: z.looseObject({}) }), ['status'], OWN);
    expect(status).toMatchObject({ up: true, cluster: { kind: 'existing' } });
    const again = await delosJson(upDocument, ['up'], OWN);
    expect(again).toMatchObject({ apiUrl: up.apiUrl, firstJob: up.firstJob });
    expect(again.changes).toEqual({ same: again.changes.same, create: 0, update: 0, delete: 0, replace: 0 });

    expect(await expectOk(delos(['down', '--delete-data', '--json'], OWN))).toContain('"engine":"existing"');
    await expect(fetch(`${up.apiUrl}/config`)).rejects.toThrow();
    expect(await namespaces()).toBe(before);
  });
});
