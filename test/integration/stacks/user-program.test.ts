import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { instancePaths, silent } from '@delos/core';
import { type JsonObject, listAt, objectAt, text } from '@delos/kube';
import { envLines } from '@delos/stacks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { type PuppetNode, startPuppetNode } from '../../support/service/puppet-node.ts';

/*
 * A person's own program, of the SDK's classes and in plain TypeScript, in the shell that `delos env` makes.
 */
const ROOT = join(import.meta.dirname, '../../..');

let plane: ControlPlane;
let node: PuppetNode;
let folder: string;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  node = await startPuppetNode(plane.client.api);
  folder = await mkdtemp(join(tmpdir(), 'delos-user-program-'));
  const input = {
    paths: instancePaths('user', { HOME: folder, XDG_STATE_HOME: join(folder, 'state') }),
    pulumi: await resolveTool('pulumi', silent),
    handle: { kubeconfig: plane.kubeconfig },
    commands: { kubectl: (await resolveTool('kube', silent)).path },
  };
  await envLines(input);
  // Once more, with the commands that this shell now finds: no link may come to lead to itself.
  const bin = join(input.paths.state, 'bin');
  const again = { ...input, pulumi: { path: join(bin, 'pulumi') }, commands: { kubectl: join(bin, 'kubectl') } };
  const { text: lines } = await envLines(again);
  expect(await readlink(join(bin, 'kubectl'))).toBe(input.commands.kubectl);
  const base = {
    HOME: folder,
    PATH: process.env.PATH,
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    LINES: lines,
  };
  const output = execFileSync('/bin/sh', ['-c', 'eval "$LINES"; unset LINES; env -0'], { env: base, encoding: 'utf8' });
  environment = Object.fromEntries(output.split('\0').map((line) => line.split(/=(.*)/s).slice(0, 2)));
});

afterAll(async () => {
  await node?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Finished {
  readonly code: number | null;
  readonly out: string;
}

function pulumi(cwd: string, args: readonly string[]): Promise<Finished> {
  const child = spawn('pulumi', [...args, '--non-interactive', '--color', 'never'], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out }));
  });
}

async function succeed(cwd: string, args: readonly string[]): Promise<string> {
  const { code, out } = await pulumi(cwd, args);
  expect(code, out).toBe(0);
  return out;
}

/** A project of a person's own, with a stack `dev`. */
async function project(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const cwd = join(folder, name);
  await mkdir(join(cwd, 'lib'), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
  await writeFile(join(cwd, 'Pulumi.yaml'), `name: ${name}\nruntime: nodejs\n`);
  await writeFile(join(cwd, 'package.json'), JSON.stringify({ name, main: 'index.ts' }));
  for (const [path, content] of Object.entries(files)) await writeFile(join(cwd, path), content);
  await succeed(cwd, ['stack', 'init', 'dev']);
  return cwd;
}

const SHOP = {
  'lib/colors.ts': `
    export enum Color { Red = 'red', Blue = 'blue' }
    export interface Settings { color: Color }
  `,
  'index.ts': `
    import * as k8s from '@pulumi/kubernetes';
    import * as pulumi from '@pulumi/pulumi';
    import { Color, Settings } from './lib/colors';

    const config = new pulumi.Config();
    const settings: Settings = { color: (config.get('color') as Color | undefined) ?? Color.Red };
    const labels = { app: 'shop' };
    const space = new k8s.core.v1.Namespace('shop');
    const metadata = { namespace: space.metadata.name };
    const map = new k8s.core.v1.ConfigMap('settings', { metadata, data: { color: settings.color } });
    const secret = new k8s.core.v1.Secret('login', { metadata, stringData: { password: config.requireSecret('password') } });
    const deployment = new k8s.apps.v1.Deployment('web', {
      metadata,
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, puppet: 'ready' } },
          spec: {
            containers: [{
              name: 'web',
              image: 'nowhere.example/web:1',
              envFrom: [{ configMapRef: { name: map.metadata.name } }, { secretRef: { name: secret.metadata.name } }],
            }],
          },
        },
      },
    });
    new k8s.yaml.ConfigGroup('extra', {
      yaml: 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: extra, namespace: default}\\ndata: {from: yaml}',
    });
    export const namespace = space.metadata.name;
    export const web = deployment.metadata.name;
    export const owners = map.metadata.managedFields.apply((fields) => fields.length);
  `,
};

test('a program of the SDK’s classes, names made up, references, secrets and YAML, comes, changes and goes', async () => {
  const cwd = await project('shop', SHOP);
  await succeed(cwd, ['config', 'set', '--secret', 'password', 'correct-horse']);
  const preview = await succeed(cwd, ['preview']);
  expect(preview).not.toContain('correct-horse');
  expect(preview).not.toContain('warning:');
  await succeed(cwd, ['up', '--yes', '--skip-preview']);
  const outputs = JSON.parse(await succeed(cwd, ['stack', 'output', '--json'])) as JsonObject;
  const namespace = text(outputs, 'namespace');
  expect(namespace).toMatch(/^shop-[0-9a-f]{8}$/);
  expect(outputs.owners).toBeGreaterThan(0);
  expect(await succeed(cwd, ['preview', '--expect-no-changes'])).toContain('unchanged');
  const extra = { apiVersion: 'v1', kind: 'ConfigMap', name: 'extra', namespace: 'default' };
  expect(await plane.client.tryGet(extra)).toMatchObject({ data: { from: 'yaml' } });
  const [before] = await namesOfMap(namespace, text(outputs, 'web'));

  // The new map is there before the Deployment moves over to it, and the old one goes last.
  await succeed(cwd, ['config', 'set', 'color', 'blue']);
  const changed = await succeed(cwd, ['up', '--yes', '--skip-preview']);
  const order = ['created replacement', 'Deployment web updated', 'deleted original'].map((step) =>
    changed.search(new RegExp(step.replace(' ', '.*'))),
  );
  expect(order, changed).toEqual(order.toSorted((a, b) => a - b));
  expect(order).not.toContain(-1);
  const [after] = await namesOfMap(namespace, text(outputs, 'web'));
  expect(after).not.toBe(before);
  const maps = await plane.client.list({ apiVersion: 'v1', plural: 'configmaps', namespace });
  const ours = maps.map((map) => text(map, 'metadata', 'name')).filter((name) => name.startsWith('settings-'));
  expect(ours).toEqual([after]);
  const state = await readFile(join(folder, 'state/delos/user/pulumi/backend/.pulumi/stacks/shop/dev.json'), 'utf8');
  expect(state).not.toContain(Buffer.from('correct-horse').toString('base64'));

  await succeed(cwd, ['destroy', '--yes', '--skip-preview']);
  const space = { apiVersion: 'v1', kind: 'Namespace', name: namespace, namespace: undefined };
  expect(await plane.client.tryGet(space)).toBeUndefined();
});

async function namesOfMap(namespace: string, name: string): Promise<readonly string[]> {
  const live = await plane.client.tryGet({ apiVersion: 'apps/v1', kind: 'Deployment', name, namespace });
  const container = objectAt(listAt(live, 'spec', 'template', 'spec', 'containers')[0]);
  return listAt(container, 'envFrom').map((source) => text(source, 'configMapRef', 'name'));
}

test('what is not supported is refused by its name', async () => {
  const cwd = await project('odd', {
    'index.ts': `
      import * as k8s from '@pulumi/kubernetes';
      const what = process.env.ODD_PART;
      if (what === 'patch') new k8s.core.v1.NamespacePatch('p', { metadata: { name: 'default', labels: { a: 'b' } } });
      if (what === 'option') new k8s.Provider('p', { renderYamlToDirectory: 'out' });
      if (what === 'chart') new k8s.helm.v3.Chart('c', { chart: 'nginx', fetchOpts: { repo: 'https://charts.example' } });
      if (what === 'group') new k8s.yaml.v2.ConfigGroup('g', { yaml: 'kind: x' });
      if (what === 'annotation') {
        new k8s.core.v1.ConfigMap('a', { metadata: { annotations: { 'pulumi.com/replaceUnready': 'true' } } });
      }
    `,
  });
  const cases = [
    ['patch', 'this provider does not have NamespacePatch'],
    ['option', 'this provider does not have the option renderYamlToDirectory'],
    ['chart', 'this provider does not have Charts of Helm'],
    ['group', 'this provider does not have yaml.v2.ConfigGroup (use yaml.ConfigGroup)'],
    ['annotation', 'this provider does not have the annotation pulumi.com/replaceUnready'],
  ] as const;
  for (const [part, words] of cases) {
    environment = { ...environment, ODD_PART: part };
    const { code, out } = await pulumi(cwd, ['preview']);
    expect(code, part).not.toBe(0);
    expect(out.replaceAll(/\s+/g, ' '), part).toContain(words);
  }
});
