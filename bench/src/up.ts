/**
 * `delos up` from nothing but a warm cache, by phase and by service, in seconds, memory and processor time; and its platform phase against
 * `kubectl apply --server-side` of the same manifests, readiness included, on a fresh cluster of the same kind.
 * Uses an instance of its own and takes it down again.
 */

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/core';
import { z } from 'zod';
import { byService, costLines, type ServiceCost } from './by-service.ts';
import { bareKubectl, delos } from './delos.ts';
import { median, numberOption, report, say, seconds } from './measure.ts';

const exec = promisify(execFile);
const INSTANCE = 'delos-bench';
const ENV = { DELOS_INSTANCE: INSTANCE };
const ROOT = join(import.meta.dirname, '../..');
const KINDS = [
  ...[
    'namespaces',
    'priorityclasses',
    'clusterroles',
    'clusterrolebindings',
    'serviceaccounts',
    'roles',
    'rolebindings',
    'validatingadmissionpolicies',
    'validatingadmissionpolicybindings',
    'poddisruptionbudgets',
  ],
  ...['configmaps', 'secrets', 'networkpolicies', 'services', 'statefulsets', 'deployments', 'daemonsets'],
];

const upSchema = z.looseObject({ phases: z.array(z.object({ name: z.string(), seconds: z.number() })) });
const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
});
type KubeObject = z.infer<typeof objectSchema>;

interface Phase {
  readonly name: string;
  readonly seconds: number;
  /** Bytes of the machine's memory in use more than at the start, at most, while the phase lasted. */
  readonly memory: number;
}

const folder = await mkdtemp(join(tmpdir(), 'delos-bench-'));
const config = join(folder, 'delos.yaml');
await writeFile(config, 'cluster: { engine: embedded }\ngateway: { httpPort: 0, httpsPort: 0 }\n');
const ours: number[] = [];
const bare: number[] = [];
let phases: readonly Phase[] = [];
let services: readonly ServiceCost[] = [];
try {
  for (let sample = 0; sample < numberOption('--samples', 1); sample += 1) {
    await delos(['down', '--delete-data'], ENV);
    phases = await measuredUp();
    // What comes after the first job is part of what kubectl applies.
    const deploying = phases.filter(({ name }) => name.startsWith('platform'));
    ours.push(deploying.reduce((sum, phase) => sum + phase.seconds, 0));
    services = await byService(ENV);
    const objects = await liveObjects();
    await delos(['down', '--delete-data'], ENV);
    await delos(['cluster', 'up', '--config', config], ENV);
    bare.push(await measuredApply(objects));
    say(`sample ${sample + 1}: ours ${ours.at(-1)} s, kubectl ${bare.at(-1)} s`);
  }
} finally {
  await delos(['down', '--delete-data'], ENV);
  await rm(folder, { recursive: true, force: true });
}

const ratio = median(ours) / median(bare);
report(
  { name: 'up', ratio: Math.round(ratio * 1000) / 1000, ours, bare, phases, services },
  [
    'up, from a warm cache:',
    ...phases.map(
      ({ name, seconds: time, memory }) =>
        `  ${name.padEnd(12)} ${time.toFixed(1).padStart(7)} s  ${(memory / 2 ** 20).toFixed(0).padStart(6)} MiB`,
    ),
    'by service, from its Pod to readiness, after the last up:',
    ...costLines(services),
    `  platform ${median(ours).toFixed(1)} s against kubectl apply --server-side ${median(bare).toFixed(1)} s`,
    `  ratio ${ratio.toFixed(2)} (aim: at most 1.3)`,
  ].join('\n'),
);

/** The phases as `up` itself times them, with the memory that the machine gave meanwhile. */
async function measuredUp(): Promise<readonly Phase[]> {
  const idle = await available();
  const peaks = new Map<string, number>();
  let current = 'preflight';
  const timer = setInterval(() => {
    const phase = current;
    void available().then((free) => peaks.set(phase, Math.max(peaks.get(phase) ?? 0, idle - free)));
  }, 500);
  const run = spawn(join(ROOT, 'delos'), ['up', '--config', config, '--json'], {
    env: { ...process.env, ...ENV },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  run.stdout.on('data', (part: Buffer) => {
    out += part.toString();
  });
  run.stderr.on('data', (part: Buffer) => {
    process.stderr.write(part);
    // A phase begins with a line of its time and name; steps are indented further.
    for (const [, name = ''] of part.toString().matchAll(/^ *[\d.]+s {2}([a-z][a-z ]*)$/gm)) current = name;
  });
  const code = await new Promise<number | null>((resolve) => run.once('close', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`delos up: exit code ${code}`);
  const document = upSchema.parse(JSON.parse(out));
  return document.phases.map((phase) => ({ ...phase, memory: peaks.get(phase.name) ?? 0 }));
}

/** Bytes that the machine could still give. */
async function available(): Promise<number> {
  const kib = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib ?? Number.NaN) * 1024;
}

/** What the platform consists of, as it would be written for `kubectl apply`: with values, without what servers add. */
async function liveObjects(): Promise<readonly KubeObject[]> {
  const text = await delos(
    ['kubectl', 'get', KINDS.join(','), '-A', '-l', 'app.kubernetes.io/part-of=delos', '-o', 'json'],
    ENV,
  );
  const { items } = z.object({ items: z.array(objectSchema) }).parse(JSON.parse(text));
  return items
    .filter(({ metadata }) => metadata.labels['delos.dev/project'] === undefined)
    .filter(({ metadata }) => [undefined, PLATFORM_NAMESPACE, NODE_NAMESPACE].includes(metadata.namespace))
    .map(asWritten);
}

function asWritten(object: KubeObject): KubeObject {
  const { status: _, spec, ...rest } = object as KubeObject & { readonly spec?: Record<string, unknown> };
  const { name, namespace, labels, annotations } = object.metadata as KubeObject['metadata'] & {
    readonly annotations?: unknown;
  };
  const { clusterIP: _ip, clusterIPs: _ips, ...wanted } = spec ?? {};
  const headless = spec?.clusterIP === 'None' ? { clusterIP: 'None' } : {};
  return {
    ...rest,
    metadata: {
      name,
      labels,
      ...(namespace === undefined ? {} : { namespace }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    ...(spec === undefined ? {} : { spec: { ...wanted, ...headless } }),
  } as KubeObject;
}

async function measuredApply(objects: readonly KubeObject[]): Promise<number> {
  const rank = ({ kind }: KubeObject): number => (kind === 'Namespace' ? 0 : kind === 'PriorityClass' ? 1 : 2);
  const file = join(folder, 'objects.json');
  const items = objects.toSorted((a, b) => rank(a) - rank(b));
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const { kubectl } = await bareKubectl(ENV);
  const [command, ...before] = kubectl;
  const run = (...args: readonly string[]): Promise<unknown> => exec(command, [...before, ...args]);
  const started = performance.now();
  await run('apply', '--server-side', '-f', file);
  for (const { kind, metadata } of items) {
    if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind)) continue;
    const target = `${kind.toLowerCase()}/${metadata.name}`;
    await run('rollout', 'status', '-n', metadata.namespace ?? 'default', target, '--timeout=600s');
  }
  return seconds(performance.now() - started);
}
