/**
 * From asking for a job to its first log byte, against the same asked of Kubernetes directly. Pairs alternate, so that
 * what else the machine does falls on both sides alike.
 *
 *   ours   the POST is accepted → first byte at a WebSocket reader
 *   bare   `kubectl create` returns → first byte of `kubectl logs -f`
 *   client `apolo run` started → first byte that it prints (beside: nothing bare does the same)
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from '@delos/stacks';
import { z } from 'zod';
import { bareKubectl, delos, delosJson, statusSchema } from './delos.ts';
import { median, numberOption, report, say, seconds } from './measure.ts';

const exec = promisify(execFile);
const IMAGE = 'ghcr.io/neuro-inc/base';
const jobSchema = z.looseObject({ id: z.string(), status: z.string(), namespace: z.string().nullish() });

const samples = numberOption('--samples', 20);
const status = await delosJson(statusSchema, ['status']);
const apiUrl = status.platform.apiUrl;
if (!status.up || apiUrl === null) {
  process.stderr.write('error: this instance is not up\n  run ./delos up first\n');
  process.exit(7);
}
const token = (await delos(['token', '--user', status.platform.adminUser, '--ttl', '2h'])).trim();
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const config = z
  .object({
    clusters: z
      .array(
        z.object({
          name: z.string(),
          monitoring_url: z.string(),
          resource_presets: z.array(z.object({ name: z.string() })),
        }),
      )
      .min(1),
    projects: z.array(z.object({ name: z.string(), cluster_name: z.string(), org_name: z.string() })).min(1),
  })
  .parse(await (await fetch(`${apiUrl}/config`, { headers })).json());
const [cluster] = config.clusters;
const [project] = config.projects;
if (cluster === undefined || project === undefined) throw new Error('no cluster or project');
const { kubeconfig, kubectl } = await bareKubectl();
const kube = await connect({ kubeconfig });

async function ours(): Promise<{ readonly time: number; readonly namespace: string }> {
  const response = await fetch(`${apiUrl}/jobs?from_preset`, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      ...{ preset_name: cluster?.resource_presets[0]?.name, image: IMAGE, command: 'echo here', pass_config: false },
      ...{ cluster_name: cluster?.name, org_name: project?.org_name, project_name: project?.name },
    }),
  });
  const accepted = performance.now();
  if (!response.ok) throw new Error(`POST /jobs: ${response.status} ${await response.text()}`);
  const job = jobSchema.parse(await response.json());
  const url = `${cluster?.monitoring_url.replace(/^http/, 'ws')}/${job.id}/log_ws`;
  const first = await new Promise<number>((resolve, reject) => {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } } as never);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', () => {
      resolve(performance.now());
      socket.close();
    });
    socket.addEventListener('close', () => reject(new Error(`the log of ${job.id} ended without a byte`)));
    socket.addEventListener('error', () => reject(new Error(`the log of ${job.id} cannot be read`)));
  });
  return { time: first - accepted, namespace: await ended(job.id) };
}

/** Waits until a job is through, so that none of it falls into the next sample; tells its namespace. */
async function ended(id: string): Promise<string> {
  for (;;) {
    const job = jobSchema.parse(await (await fetch(`${apiUrl}/jobs/${id}`, { headers })).json());
    if (!['pending', 'running', 'suspended'].includes(job.status)) return job.namespace ?? 'default';
    await sleep(200);
  }
}

/** The same Pod without us: image, resources and namespace of our jobs. */
async function bare(namespace: string): Promise<number> {
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'main',
          image: IMAGE,
          args: ['echo', 'here'],
          resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '128Mi' } },
          securityContext: { allowPrivilegeEscalation: false },
        },
      ],
    },
  };
  const create = spawn(kubectl[0], [...kubectl.slice(1), 'create', '-n', namespace, '-f', '-'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  create.stdin.end(JSON.stringify(pod));
  await new Promise<void>((resolve, reject) =>
    create.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`kubectl create: exit code ${code}`)))),
  );
  const created = performance.now();
  const first = await firstByte(namespace, name);
  await exec(kubectl[0], [...kubectl.slice(1), 'delete', 'pod', '-n', namespace, name, '--grace-period=1']);
  return first - created;
}

/**
 * When `kubectl logs -f` prints its first byte. It refuses a container that has not started, so it is started as soon as
 * the API server would answer it, which is asked every few milliseconds without a process for each question: that would
 * take the processor from the container.
 */
async function firstByte(namespace: string, name: string): Promise<number> {
  const until = performance.now() + 120_000;
  while (performance.now() < until) {
    const there = await kube.api.request('GET', `/api/v1/namespaces/${namespace}/pods/${name}/log`).then(
      () => true,
      () => false,
    );
    if (!there) {
      await sleep(5);
      continue;
    }
    const args = [...kubectl.slice(1), 'logs', '-n', namespace, '-f', name];
    const logs = spawn(kubectl[0], args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(logs, 'close');
    const first = await Promise.race([
      once(logs.stdout, 'data').then(() => performance.now()),
      ended.then(() => undefined),
    ]);
    logs.kill();
    await ended;
    if (first !== undefined) return first;
  }
  throw new Error(`no log of Pod ${name} within 120 s`);
}

async function clientSample(client: {
  start(args: readonly string[]): { child: { stdout: NodeJS.ReadableStream | null }; end: Promise<unknown> };
}): Promise<number> {
  const started = performance.now();
  const run = client.start(['run', '--no-tty', IMAGE, '--', 'echo', 'bench-was-here']);
  let text = '';
  const first = await new Promise<number>((resolve, reject) => {
    run.child.stdout?.on('data', (part: Buffer) => {
      text += part.toString();
      if (text.includes('\nbench-was-here') || text.startsWith('bench-was-here')) resolve(performance.now());
    });
    run.end.then(() => reject(new Error(`apolo run printed nothing of the job:\n${text}`)), reject);
  });
  await run.end;
  return first - started;
}

const oursTimes: number[] = [];
const bareTimes: number[] = [];
const warm = await ours();
await bare(warm.namespace);
for (let pair = 0; pair < samples; pair += 1) {
  // Who begins changes as well.
  if (pair % 2 === 0) {
    oursTimes.push(seconds((await ours()).time));
    bareTimes.push(seconds(await bare(warm.namespace)));
  } else {
    bareTimes.push(seconds(await bare(warm.namespace)));
    oursTimes.push(seconds((await ours()).time));
  }
  say(`pair ${pair + 1} of ${samples}: ours ${oursTimes.at(-1)} s, bare ${bareTimes.at(-1)} s`);
}

const clientTimes: number[] = [];
const { apoloClient } = await import('@delos/peers');
const client = await apoloClient();
try {
  await client.ok(['config', 'login-with-token', token, apiUrl]);
  for (let i = 0; i < Math.min(5, samples); i += 1) clientTimes.push(seconds(await clientSample(client)));
} finally {
  await client.close();
}

const ratio = median(oursTimes) / median(bareTimes);
report(
  {
    name: 'job-latency',
    ratio: Math.round(ratio * 1000) / 1000,
    ours: oursTimes,
    bare: bareTimes,
    client: clientTimes,
  },
  [
    `job-latency: ${samples} alternating pairs, medians`,
    `  POST accepted → first log byte        ${median(oursTimes).toFixed(3)} s`,
    `  kubectl create → kubectl logs -f      ${median(bareTimes).toFixed(3)} s`,
    `  ratio                                 ${ratio.toFixed(2)} (aim: at most 1.2)`,
    `  apolo run, started → first byte       ${median(clientTimes).toFixed(3)} s`,
  ].join('\n'),
);
