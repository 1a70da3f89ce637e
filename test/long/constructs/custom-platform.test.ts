import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type CommandResult, expectOk } from '../../../peers/src/command.ts';
import { delos, delosJson, TEST_INSTANCE } from '../../support/instance.ts';
import {
  describeCluster,
  expectNotes,
  formsOf,
  type Kubectl,
  manifestsOf,
  type Site,
} from '../../support/library/custom-platform.ts';
import { type PackedProject, packedProject } from '../../support/library/project.ts';

/*
 * The platform of the guide (docs/guides/library.md) as a person outside of this repository has it: packed packages in a
 * project of one's own, on a cluster without a platform, which `delos cluster up` has started.
 */
const INSTANCE = `${TEST_INSTANCE}-lib`;
const own = { env: { DELOS_INSTANCE: INSTANCE } } as const;
const kubectl: Kubectl = (args, input) =>
  expectOk(delos(['kubectl', ...args], { ...own, ...(input === undefined ? {} : { input }) }));
/** Until Keycloak has started on a slow machine. */
const READY_SECONDS = 600;

let project: PackedProject;
let site: Site;

beforeAll(async () => {
  project = await packedProject();
  await expectOk(delos(['down', '--delete-data'], own));
  await expectOk(delos(['cluster', 'up', '--config', join(import.meta.dirname, '../../support/platform.yaml')], own));
  site = await describeCluster(project, own);
});

afterAll(async () => {
  await project?.remove();
  await expectOk(delos(['down', '--delete-data'], own));
});

const namespaces = async (): Promise<readonly string[]> =>
  (await kubectl(['get', 'namespaces', '-o', 'name'])).trim().split('\n');

/** All Pods of the platform serve. */
const untilReady = (): Promise<string> => {
  const wait = ['wait', 'pods', '--all', '--for=condition=Ready', `--timeout=${READY_SECONDS}s`];
  return kubectl([...wait, '-n', 'delos']).then(() => kubectl([...wait, '-n', 'delos-node']));
};

test('a plain Pulumi program deploys it, finds nothing to do at once after, and takes it away', async () => {
  const variables = await delosJson(z.record(z.string(), z.string()), ['env'], own);
  const env = { ...process.env, ...variables };
  const pulumi = (...args: readonly string[]): Promise<CommandResult> =>
    project.run(['pulumi', ...args, '--non-interactive', '--color', 'never'], { env, timeout: READY_SECONDS + 60 });
  const succeed = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await pulumi(...args);
    expect(code, stderr + stdout).toBe(0);
    return stdout;
  };
  await succeed('stack', 'init', 'dev');
  await succeed('config', 'set', 'image', site.image);
  expect(await succeed('preview')).toContain('notes');
  await succeed('up', '--yes', '--skip-preview');
  await expectNotes(site.origin, kubectl, 60);
  await untilReady();

  expect(await succeed('preview', '--expect-no-changes')).toContain('unchanged');
  expect(await succeed('up', '--yes', '--skip-preview')).toMatch(/\d+ unchanged/);
  const password = await kubectl(['-n', 'delos', 'get', 'secret', 'postgres-notes', '-o', 'jsonpath={.data.password}']);
  expect(password).not.toBe('');
  const plain = Buffer.from(password, 'base64').toString();
  const config = await expectOk(project.run(['cat', 'Pulumi.dev.yaml']));
  for (const kept of [await succeed('stack', 'export'), config]) {
    expect(kept).not.toContain(password);
    expect(kept).not.toContain(plain);
  }

  await succeed('destroy', '--yes', '--skip-preview');
  expect((await namespaces()).filter((name) => name.startsWith('namespace/delos'))).toEqual([]);
});

test('kubectl apply deploys it, changes nothing when it is run again, and kubectl delete takes it away', async () => {
  const manifests = await manifestsOf(project, site.image);
  await kubectl(['apply', '-f', '-'], manifests);
  await expectNotes(site.origin, kubectl, READY_SECONDS);
  await untilReady();
  const before = await formsOf(kubectl, manifests);
  await kubectl(['apply', '-f', '-'], await manifestsOf(project, site.image));
  expect(await formsOf(kubectl, manifests)).toEqual(before);

  await kubectl(['delete', '-f', '-'], manifests);
  expect(await kubectl(['get', '--ignore-not-found', '-o', 'name', '-f', '-'], manifests)).toBe('');
});
