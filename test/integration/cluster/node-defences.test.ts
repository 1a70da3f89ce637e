import { execFile, execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { addressesOf } from '../../../cluster/src/embedded/host/addresses.ts';
import { explainEviction } from '../../../runtime/service/src/agent/eviction.ts';
import { clusterOf, embeddedEngineOf, type TestCluster, testConfig } from '../../support/cluster/cluster.ts';
import { type SmallDisk, smallDisk } from '../../support/cluster/small-disk.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { until } from '../../support/until.ts';

/*
 * A node of its own on a small disk, with a Pod that stands for the platform and Pods that do what a hostile job does. No
 * NetworkPolicy is there: what is refused here is refused by the node itself.
 */
const INSTANCE = `${TEST_INSTANCE}-def`.slice(0, 20);
const NAME = 'ai.example.com';
const JOBS = 'jobs';
let disk: SmallDisk;
let env: NodeJS.ProcessEnv;
let cluster: TestCluster;

beforeAll(async () => {
  disk = smallDisk({ gib: 4, inodes: 20_000 });
  env = { ...process.env, XDG_STATE_HOME: disk.folder };
  cluster = await clusterOf(INSTANCE, { ...testConfig(), domain: NAME }, env);
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: world() }));
  for (const [namespace, pod] of [
    ['delos', 'gateway'],
    [JOBS, 'job'],
  ] as const) {
    await cluster.kubectl(['-n', namespace, 'wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=120s']);
  }
});

afterAll(async () => {
  if (disk === undefined) return;
  await (await embeddedEngineOf(INSTANCE, env)).down({ deleteData: true }, silent);
  disk.remove();
});

/** A Pod of the image that every node has, busybox within. */
function pod(namespace: string, name: string, script: string, extra: object = {}, limits: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      priorityClassName: namespace === JOBS ? 'delos-job-normal' : 'delos-platform',
      containers: [
        {
          name: 'main',
          image: cluster.spec.images.localPathProvisioner,
          command: ['sh', '-c', script],
          securityContext: { runAsUser: 0 },
          resources: { limits },
        },
      ],
      ...extra,
    },
  };
}

function world(): unknown[] {
  const head = (apiVersion: string, kind: string, name: string) => ({ apiVersion, kind, metadata: { name } });
  const serve = 'mkdir /v; echo the gateway > /v/index.html; exec /bin/busybox httpd -f -p 8080 -h /v';
  return [
    head('v1', 'Namespace', 'delos'),
    head('v1', 'Namespace', JOBS),
    { ...head('scheduling.k8s.io/v1', 'PriorityClass', 'delos-platform'), value: 1_000_000 },
    { ...head('scheduling.k8s.io/v1', 'PriorityClass', 'delos-job-normal'), value: 0 },
    pod('delos', 'gateway', serve),
    pod(JOBS, 'job', 'while :; do sleep 3600; done'),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'gateway', namespace: 'delos' },
      spec: { selector: { app: 'gateway' }, ports: [{ port: 8080, targetPort: 8080 }] },
    },
  ];
}

const exec = (namespace: string, name: string, ...command: readonly string[]) =>
  cluster.kubectl(['-n', namespace, 'exec', name, '--', '/bin/busybox', ...command]);
const start = (object: unknown) => cluster.kubectl(['apply', '-f', '-'], JSON.stringify(object));
const stop = (name: string) => cluster.kubectl(['-n', JOBS, 'delete', 'pod', name, '--now']);

const podStatus = z.object({
  status: z.object({
    phase: z.string(),
    reason: z.string().default(''),
    message: z.string().default(''),
    containerStatuses: z.array(z.object({ restartCount: z.number() })).default([]),
  }),
});
async function statusOf(namespace: string, name: string) {
  return podStatus.parse(JSON.parse(await cluster.kubectl(['-n', namespace, 'get', 'pod', name, '-o', 'json']))).status;
}
const evicted = (name: string) =>
  until(`Pod ${name}: evicted`, 180, async () => {
    const status = await statusOf(JOBS, name);
    return status.phase === 'Failed' && status.reason === 'Evicted' ? status.message : undefined;
  });
async function platformServes(): Promise<void> {
  expect(await statusOf('delos', 'gateway')).toMatchObject({
    phase: 'Running',
    containerStatuses: [{ restartCount: 0 }],
  });
  expect(await exec('delos', 'gateway', 'wget', '-qO-', 'http://127.0.0.1:8080')).toBe('the gateway\n');
}

/** The Pod's own cgroup. */
function podCgroup(uid: string): string {
  const root = cluster.spec.cgroupVersion === 2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';
  const kubepods = join(root, `delos-${INSTANCE}`, 'kubepods');
  const classes = ['besteffort', 'burstable', ''].map((each) => join(kubepods, each));
  const found = classes.find((each) => existsSync(join(each, `pod${uid}`)));
  return join(found ?? kubepods, `pod${uid}`);
}
async function uidOf(namespace: string, name: string): Promise<string> {
  return cluster.kubectl(['-n', namespace, 'get', 'pod', name, '-o', 'jsonpath={.metadata.uid}']);
}
/** A process of the Pod, by its id on this machine. */
async function processOf(namespace: string, name: string): Promise<number> {
  const folder = podCgroup(await uidOf(namespace, name));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('cgroup.procs'),
  );
  return Number(files.map((file) => readFileSync(join(folder, file), 'utf8').split('\n')[0]).find(Boolean));
}
/** Runs JavaScript in the network namespace of a process; the image of its Pod needs no program for it. */
const inNetworkOf = async (pid: number, code: string): Promise<string> => {
  const args = ['--net', '--target', String(pid), process.execPath, '-e', code];
  return (await promisify(execFile)('nsenter', args)).stdout;
};
const dial = (host: string, port: number): string => `
  const socket = require('node:net').connect(${port}, '${host}');
  socket.setTimeout(3000, () => socket.destroy());
  socket.on('error', (error) => console.log(error.code)).pipe(process.stdout);`;
const send = (host: string, port: number): string => `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('error', () => socket.close());
  socket.send('a datagram', ${port}, '${host}', () => setTimeout(() => process.exit(), 100));`;

describe('the machine under the node', () => {
  const LATER = '203.0.113.77';
  let server: Server;
  let port: number;
  const callers: string[] = [];
  beforeAll(async () => {
    server = createServer((socket) => {
      callers.push(socket.remoteAddress ?? '');
      socket.on('error', () => undefined);
      socket.end('the machine\n');
    });
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '::' }, resolve));
    const address = server.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
    // As an address that comes while the node runs.
    execFileSync('ip', ['address', 'replace', `${LATER}/32`, 'dev', 'lo']);
  });
  afterAll(() => {
    server.close();
    execFileSync('ip', ['address', 'delete', `${LATER}/32`, 'dev', 'lo']);
  });

  const addresses = () =>
    Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ address }) => !address.startsWith('127.') && address !== '::1' && !address.startsWith('fe80:'))
      .map(({ address }) => address);
  const node = (): number => cluster.processes().get(1) ?? 0;

  test('is reached from a Pod at none of its addresses, one that came later among them', async () => {
    const job = await processOf(JOBS, 'job');
    expect(addresses()).toContain(LATER);
    for (const address of addresses()) {
      callers.length = 0;
      expect(await inNetworkOf(job, dial(address, port)), address).not.toContain('the machine');
      expect(callers, address).toEqual([]);
    }
  });

  test('is reached by the node itself, as a proxy for image pulls may run there', async () => {
    expect(await inNetworkOf(node(), dial(LATER, port))).toBe('the machine\n');
  });

  test('gets no datagram from a Pod either', async () => {
    const socket = createSocket('udp4');
    const heard: string[] = [];
    socket.on('message', (_text, { address }) => heard.push(address));
    await new Promise<void>((resolve) => socket.bind(0, '0.0.0.0', resolve));
    const job = await processOf(JOBS, 'job');
    for (const address of addresses().filter((each) => !each.includes(':'))) {
      await inNetworkOf(job, send(address, socket.address().port));
    }
    // The last one is the node's own, which does arrive.
    await inNetworkOf(node(), send(LATER, socket.address().port));
    await until('a datagram of the node', 10, async () => (heard.length > 0 ? heard : undefined));
    expect(heard).toEqual([addressesOf(cluster.spec.number).nodeIp]);
    socket.close();
  });

  test('its port that leads to a container is closed to a Pod as well', async () => {
    // As Docker publishes ports: translated before anything is filtered.
    const rule = `ip daddr ${LATER} tcp dport 7 dnat to ${LATER}:${port}`;
    const table = `table ip delos_test { chain c { type nat hook prerouting priority -100; ${rule}; }; }\n`;
    execFileSync('nft', ['-f', '-'], { input: table });
    try {
      expect(await inNetworkOf(node(), dial(LATER, 7))).toBe('the machine\n');
      expect(await inNetworkOf(await processOf(JOBS, 'job'), dial(LATER, 7))).not.toContain('the machine');
    } finally {
      execFileSync('nft', ['delete', 'table', 'ip', 'delos_test']);
    }
  });
});

test('the platform’s public name and those of jobs and apps are its gateway’s Service within the cluster, and other names are not', async () => {
  expect(await exec(JOBS, 'job', 'wget', '-qO-', `http://${NAME}:8080`)).toBe('the gateway\n');
  const addressOf = async (name: string): Promise<string | undefined> =>
    /Name:.*\nAddress: (\S+)/.exec(await exec(JOBS, 'job', 'nslookup', name))?.[1];
  const gateway = await addressOf(NAME);
  expect(gateway).toMatch(/^\d/);
  for (const below of ['other', 'a-job.jobs', 'an-app.apps']) expect(await addressOf(`${below}.${NAME}`)).toBe(gateway);
  for (const name of [`deep.other.${NAME}`, `not-${NAME}`])
    await expect(exec(JOBS, 'job', 'nslookup', name)).rejects.toThrow();
});

describe('a Pod that takes what it can get', () => {
  test('of processes gets 4096, and the platform can still start some', async () => {
    await start(pod(JOBS, 'bomb', '(while :; do sleep 600 & done); exec sleep 3600'));
    await until('Pod bomb: its shell gets no further process', 180, async () => {
      const log = await cluster.kubectl(['-n', JOBS, 'logs', 'bomb']).catch(() => '');
      return log.includes("can't fork") ? log : undefined;
    });
    const folder = podCgroup(await uidOf(JOBS, 'bomb'));
    const pids = (file: string): number => Number(readFileSync(join(folder, file), 'utf8'));
    expect(pids('pids.max')).toBe(4096);
    expect(pids('pids.current')).toBeGreaterThan(4000);
    await platformServes();
    await stop('bomb');
  });

  test('of local disk is evicted, and told of its limit', async () => {
    const script = '/bin/busybox head -c 100000000 /dev/zero > /filler; while :; do sleep 3600; done';
    await start(pod(JOBS, 'filler', script, {}, { 'ephemeral-storage': '64Mi' }));
    expect(explainEviction(await evicted('filler'))).toBe(
      'it used more local disk than its preset has (64Mi); choose a preset with more disk, or write to a volume',
    );
    await platformServes();
    await stop('filler');
  });

  test('of inodes is evicted before the platform, and told why', async () => {
    const script = 'mkdir /f; cd /f; i=0; while true > $i; do i=$((i+1)); done; exec sleep 3600';
    await start(pod(JOBS, 'inodes', script));
    // The kubelet does not always say how many were this Pod's.
    expect(explainEviction(await evicted('inodes'))).toMatch(
      /^its node was short of room for further files \(inodes\)(, of which it used \d+)?; jobs are ended there before the platform$/,
    );
    await platformServes();
  });
});
