import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { delos, TEST_INSTANCE } from '../../support/instance.ts';

/*
 * A cluster of this machine as a Pulumi stack, by the real engine: made, found as it is, repaired, and taken away. Its output, a secret, is what
 * another stack of another program reaches the cluster by.
 */

const ROOT = join(import.meta.dirname, '../../..');
const INSTANCE = `${TEST_INSTANCE}-loc`.slice(0, 20);
let folder: string;
let env: Readonly<Record<string, string | undefined>>;
let below: Readonly<Record<string, string>>;

const ours = (args: readonly string[]): Promise<CommandResult> => delos(args, { env: below, timeout: 600 });
const pulumi = (args: readonly string[], cwd = join(ROOT, 'stacks/local')): Promise<CommandResult> =>
  execute(['pulumi', ...args], { cwd, env, timeout: 600 });
const changes = z.object({ changeSummary: z.record(z.string(), z.number()).default({}) });
const preview = async () => changes.parse(JSON.parse(await expectOk(pulumi(['preview', '--json'])))).changeSummary;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-local-'));
  await mkdir(join(folder, 'state'));
  below = { DELOS_INSTANCE: INSTANCE, XDG_STATE_HOME: join(folder, 'state') };
  const variables = z
    .record(z.string(), z.string())
    .parse(JSON.parse(await expectOk(ours(['cluster', 'env', '--json']))));
  env = { ...process.env, ...below, ...variables, KUBECONFIG: '/nowhere/kubeconfig' };
});

afterAll(async () => {
  await ours(['cluster', 'down', '--delete-data']);
  await rm(folder, { recursive: true, force: true });
});

test('is refused where its configuration is none of a cluster of this machine', async () => {
  await expectOk(pulumi(['stack', 'init', INSTANCE]));
  const file = join(folder, 'delos.yaml');
  await writeFile(file, 'cluster: {engine: existing}\n');
  await expectOk(pulumi(['config', 'set', 'config', file]));
  expect((await pulumi(['preview'])).stdout).toContain(
    'cluster.engine is existing: that cluster is made by somebody else',
  );
  await writeFile(file, 'cluster: {engine: embedded}\nnodePools: [{name: lab}]\n');
  await expectOk(pulumi(['config', 'set', 'nodes', 'many']));
  expect((await pulumi(['preview'])).stdout).toContain(
    'nodes of the stack is "many": expected a number of nodes, 1 to 16',
  );
  await expectOk(pulumi(['config', 'rm', 'nodes']));
  await expectOk(pulumi(['config', 'set', 'deleteData', 'true']));
});

test('a preview makes nothing, `up` makes the cluster, and a second one finds it as it is', async () => {
  expect(await preview()).toEqual({ create: 2 });
  expect((await ours(['cluster', 'status'])).code).not.toBe(0);
  await expectOk(pulumi(['up', '--yes', '--skip-preview']));
  expect((await ours(['cluster', 'status'])).code).toBe(0);
  expect(await preview()).toEqual({ same: 2 });
});

test('its kubeconfig is a secret, and leads to it', async () => {
  const hidden = await expectOk(pulumi(['stack', 'output', '--json']));
  expect(JSON.parse(hidden)).toMatchObject({ cluster: INSTANCE, context: `delos-${INSTANCE}`, kubeconfig: '[secret]' });
  const text = await expectOk(pulumi(['stack', 'output', 'kubeconfig', '--show-secrets']));
  expect(parse(text)).toMatchObject({ kind: 'Config', 'current-context': `delos-${INSTANCE}` });
  const state = await expectOk(pulumi(['stack', 'export']));
  expect(state).not.toContain('client-key-data');
});

test('another stack deploys to it by a reference to that output', async () => {
  const project = join(folder, 'shop');
  await mkdir(project);
  await symlink(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  await writeFile(
    join(project, 'Pulumi.yaml'),
    'name: shop\nruntime: {name: nodejs, options: {typescript: false}}\nmain: main.ts\n',
  );
  await writeFile(join(project, 'package.json'), '{"type": "module"}');
  await writeFile(
    join(project, 'main.ts'),
    `import { ClusterProvider } from '@delos/stacks/program';
import k8s from '@pulumi/kubernetes';
import pulumi from '@pulumi/pulumi';
const cluster = new pulumi.StackReference('organization/delos/${INSTANCE}');
const provider = new ClusterProvider('cluster', { kubeconfig: cluster.requireOutput('kubeconfig') });
new k8s.core.v1.ConfigMap('greeting', { metadata: { name: 'greeting', namespace: 'default' }, data: { hello: 'world' } }, { provider });
`,
  );
  const { PULUMI_STACK: _, PULUMI_OPTION_CONFIG_FILE: __, ...rest } = env;
  const shop = (args: readonly string[]) => execute(['pulumi', ...args], { cwd: project, env: rest, timeout: 300 });
  await expectOk(shop(['stack', 'init', 'dev']));
  await expectOk(shop(['up', '--yes', '--skip-preview']));
  const seen = await expectOk(ours(['kubectl', 'get', 'configmap', 'greeting', '-o', 'jsonpath={.data.hello}']));
  expect(seen).toBe('world');
  await expectOk(shop(['destroy', '--yes', '--skip-preview']));
});

test('one that somebody took down is brought up again, and one of two nodes gets its second', async () => {
  await expectOk(ours(['cluster', 'down']));
  expect(await preview()).toEqual({ same: 1, update: 1 });
  await expectOk(pulumi(['config', 'set', 'nodes', '2']));
  await expectOk(pulumi(['up', '--yes', '--skip-preview']));
  expect(await expectOk(ours(['kubectl', 'get', 'nodes', '-o', 'name']))).toBe('node/node-1\nnode/node-2\n');
});

test('`destroy` takes it away', async () => {
  await expectOk(pulumi(['destroy', '--yes', '--skip-preview']));
  expect((await ours(['cluster', 'status'])).code).not.toBe(0);
  expect(JSON.parse(await expectOk(pulumi(['stack', 'export'])))).toMatchObject({ deployment: {} });
  expect((await readFile('/proc/net/dev', 'utf8')).includes(`delos-${INSTANCE}`)).toBe(false);
});
