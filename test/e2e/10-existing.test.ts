import { rm } from 'node:fs/promises';
import { instancePaths } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../support/command.ts';
import { delos, delosJson, TEST_CONFIG, upDocument } from '../support/instance.ts';

/** A cluster alone, which the platform's instance knows only by its kubeconfig: somebody else's. */
const CLUSTER = { DELOS_INSTANCE: 'delos-test-theirs' };
const PLATFORM = { DELOS_INSTANCE: 'delos-test-own' };

describe('a cluster that is there already', () => {
  let theirs: { readonly kubeconfig: string; readonly context: string };
  let before: string;
  const namespaces = () => expectOk(delos(['kubectl', 'get', 'namespaces', '-o', 'name'], { env: CLUSTER }));
  const onTheirs = (...args: readonly string[]) => delos([...args, '--context', theirs.context, '--json'], options());
  const options = () => ({ env: { ...PLATFORM, KUBECONFIG: theirs.kubeconfig }, timeout: 900 });

  beforeAll(async () => {
    await expectOk(delos(['cluster', 'down', '--delete-data'], { env: CLUSTER }));
    await rm(instancePaths(PLATFORM.DELOS_INSTANCE, process.env).state, { recursive: true, force: true });
    const up = z.looseObject({ kubeconfig: z.string(), context: z.string() });
    theirs = await delosJson(up, ['cluster', 'up'], { env: CLUSTER });
    before = await namespaces();
  });
  afterAll(async () => {
    await onTheirs('down', '--delete-data');
    await expectOk(delos(['cluster', 'down', '--delete-data'], { env: CLUSTER }));
  });

  test('is used only once somebody has named it, since it is not on loopback', async () => {
    const { code, stderr } = await delos(['up', '--config', TEST_CONFIG], options());
    expect(code).not.toBe(0);
    expect(stderr).toContain(`--context ${theirs.context}`);
  });

  test('runs the first job, is reached through the API server, and gives all back', async () => {
    const config = ['--config', TEST_CONFIG, '--context', theirs.context];
    const up = await delosJson(upDocument, ['up', ...config], options());
    expect(up.firstJob.output).toContain('Hello');
    expect((await fetch(`${up.apiUrl}/config`)).status).toBe(200);
    const again = await delosJson(upDocument, ['up', ...config], options());
    expect(again).toMatchObject({ apiUrl: up.apiUrl, changes: { create: 0, update: 0, delete: 0, replace: 0 } });

    expect(await expectOk(onTheirs('down', '--delete-data'))).toContain('"engine":"existing"');
    await expect(fetch(`${up.apiUrl}/config`)).rejects.toThrow();
    expect(await namespaces()).toEqual(before);
  });
});
