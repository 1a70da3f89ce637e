import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOGUE } from '@delos/artifacts';
import { resolveTool } from '@delos/cluster';
import { loadConfig } from '@delos/constructs';
import { instancePaths, silent } from '@delos/core';
import { deployPlatform, envLines, type PlatformInput } from '@delos/stacks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { type PuppetNode, startPuppetNode } from '../../support/service/puppet-node.ts';

/** Drift, another domain, an import, and a language host that dies at work are for the long form. */
const LONG = process.env.DELOS_TEST_LONG !== undefined;
const ROOT = join(import.meta.dirname, '../../..');
const digest = z.object({
  changeSummary: z.record(z.string(), z.number()),
  steps: z.array(z.object({ op: z.string(), urn: z.string() })),
});

let plane: ControlPlane;
let node: PuppetNode;
let folder: string;
let input: PlatformInput;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  node = await startPuppetNode(plane.client.api);
  folder = await mkdtemp(join(tmpdir(), 'delos-plain-'));
  const configFile = join(folder, 'delos.yaml');
  await writeFile(configFile, 'services: { gateway: { replicas: 1 } }\n');
  input = {
    config: await loadConfig(configFile),
    configFile,
    context: {
      images: Object.fromEntries(CATALOGUE.map(({ name }) => [name, `registry.example/${name}:1`])),
      apiServer: { addresses: ['10.201.0.2'], port: 6443 },
      entrance: {
        ...{ kind: 'node-port', http: 30080, https: 30443 },
        hostPorts: { httpPort: 8080, httpsPort: 8443 },
      },
    },
    handle: { kubeconfig: plane.kubeconfig, context: plane.context },
    pulumi: await resolveTool('pulumi', silent),
    paths: instancePaths('plain', { HOME: folder, XDG_STATE_HOME: join(folder, 'state') }),
    progress: silent,
    signal: new AbortController().signal,
  };
});

afterAll(async () => {
  await node?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** `pulumi ARGS` in the repository, as in a shell after `eval "$(./delos env)"`. */
function pulumi(args: readonly string[]): { readonly child: ChildProcess; readonly done: Promise<Finished> } {
  const child = spawn('pulumi', [...args, '--non-interactive', '--color', 'never'], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const done = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return { child, done };
}

interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function previewed(): Promise<z.infer<typeof digest>> {
  const { code, out, err } = await pulumi(['preview', '--json']).done;
  expect(code, err + out).toBe(0);
  return digest.parse(JSON.parse(out));
}

async function succeed(args: readonly string[]): Promise<string> {
  const { code, out, err } = await pulumi(args).done;
  expect(code, err + out).toBe(0);
  return out;
}

test('what delos deployed, plain pulumi previews, changes and destroys; refreshes and imports too in the long form', async () => {
  const { changes } = await deployPlatform(input);
  expect(changes.create).toBeGreaterThan(40);
  const objects = changes.create;
  environment = await shellAfterEnv();

  expect((await previewed()).changeSummary).toEqual({ same: objects });

  // A changed replica count is one update.
  await writeFile(input.configFile ?? '', 'services: { gateway: { replicas: 2 } }\n');
  const seen = await previewed();
  expect(seen.changeSummary).toEqual({ same: objects - 1, update: 1 });
  expect(seen.steps.filter(({ op }) => op !== 'same')).toEqual([
    { op: 'update', urn: 'urn:pulumi:plain::delos::delos:platform:Part$kubernetes:apps/v1:Deployment::delos/gateway' },
  ]);
  if (LONG) {
    // The language host dies at work; the same command completes.
    const cut = pulumi(['up', '--yes', '--skip-preview']);
    await killLanguageHost();
    expect((await cut.done).code).not.toBe(0);
  }
  expect(await succeed(['up', '--yes', '--skip-preview'])).toMatch(/\d+ unchanged/);
  const gateway = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'gateway', namespace: 'delos' };
  expect(await plane.client.tryGet(gateway)).toMatchObject({ spec: { replicas: 2 } });

  if (LONG) await driftDomainAndImport(objects);

  await succeed(['destroy', '--yes', '--skip-preview']);
  for (const name of ['delos', 'delos-node']) {
    const space = { apiVersion: 'v1', kind: 'Namespace', name, namespace: undefined };
    expect(await plane.client.tryGet(space)).toBeUndefined();
  }
});

async function driftDomainAndImport(objects: number): Promise<void> {
  await succeed(['refresh', '--yes', '--skip-preview']);
  expect((await previewed()).changeSummary).toEqual({ same: objects });

  // Another domain changes every place that names it: `delos up` with the same file finds nothing left to do.
  await writeFile(input.configFile ?? '', 'domain: ai.example.com\n');
  await succeed(['up', '--yes', '--skip-preview']);
  const changed = { ...input, config: await loadConfig(input.configFile ?? '') };
  expect((await deployPlatform(changed)).changes).toEqual({
    same: objects,
    create: 0,
    update: 0,
    delete: 0,
    replace: 0,
  });
  const api = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'control-api', namespace: 'delos' };
  expect(JSON.stringify(await plane.client.tryGet(api))).toContain('https://ai.example.com:8443');

  // An object made by hand comes under the stack's care by import.
  const theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs' }, data: { k: 'v' } };
  await plane.client.api.request('POST', '/api/v1/namespaces/delos/configmaps', { body: theirs });
  const type = 'kubernetes:core/v1:ConfigMap';
  await succeed(['import', type, 'delos/theirs', 'delos/theirs', '--yes', '--generate-code=false', '--protect=false']);
}

/** What `eval "$(./delos env)"` leaves in a shell in which another passphrase was set. */
async function shellAfterEnv(): Promise<NodeJS.ProcessEnv> {
  const { text, variables } = await envLines(input);
  const base = { HOME: folder, PATH: process.env.PATH, PULUMI_CONFIG_PASSPHRASE: 'another', LINES: text };
  const output = execFileSync('/bin/sh', ['-c', 'eval "$LINES"; unset LINES; env -0'], { env: base, encoding: 'utf8' });
  const found = Object.fromEntries(output.split('\0').map((line) => line.split(/=(.*)/s).slice(0, 2)));
  expect(found).toMatchObject({ ...variables, PATH: expect.stringContaining(`${input.paths.state}/bin`) });
  expect(found).not.toHaveProperty('PULUMI_CONFIG_PASSPHRASE');
  return found;
}

/** As soon as the host of this test's update is there. */
async function killLanguageHost(): Promise<void> {
  for (;;) {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
      const environ = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      // Several short-lived ones come before; this one has started the program.
      if (!environ.includes(folder) || !command.includes('cmd/run')) continue;
      const parent = /\nPPid:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1];
      if (parent === undefined) continue;
      process.kill(Number(parent), 'SIGKILL');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
