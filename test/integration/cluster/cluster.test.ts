import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { get } from 'node:https';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silent } from '@delos/core';
import { findByArgument } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DISK_CLASS } from '../../../cluster/src/disks/names.ts';
import { remains } from '../../../cluster/src/embedded/down.ts';
import { readInventory } from '../../../cluster/src/embedded/host/inventory.ts';
import { layoutOf } from '../../../cluster/src/embedded/spec.ts';
import {
  clusterOf,
  embeddedEngineOf,
  type TestCluster,
  testCluster,
  testConfig,
} from '../../support/cluster/cluster.ts';
import { killNode } from '../../support/cluster/node.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { until } from '../../support/until.ts';

/*
 * The embedded cluster, with a real node. Two are used: the one that all suites share, which ends in the state that it
 * began with, and one of its own beside it, which is taken down at the end.
 */
let cluster: TestCluster;
const NAMESPACE = 'cluster-test';

beforeAll(async () => {
  cluster = await testCluster();
  await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true']);
  await cluster.kubectl(['create', 'namespace', NAMESPACE]);
  await cluster.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: workload() }));
  await waitFor('pod/server', 'Ready');
  await waitFor('pod/client', 'Ready');
});

afterAll(async () => {
  await cluster.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
});

const inside = (args: readonly string[], input?: string) => cluster.kubectl(['-n', NAMESPACE, ...args], input);
const waitFor = (what: string, condition: string) =>
  inside(['wait', what, `--for=condition=${condition}`, '--timeout=120s']);
const exec = (pod: string, command: readonly string[]) => inside(['exec', pod, '--', '/bin/busybox', ...command]);

function workload(): unknown[] {
  const image = cluster.spec.images.localPathProvisioner;
  const pod = (name: string, script: string, extra: object = {}, container: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image, command: ['sh', '-c', script], ...container }],
      ...extra,
    },
  });
  const claim = (name: string, storageClass: object) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: NAMESPACE },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '8Mi' } }, ...storageClass },
  });
  const volume = (name: string, claimName: string) => ({ name, persistentVolumeClaim: { claimName } });
  const serve = 'echo served > /v/index.html; echo a line for the log; exec /bin/busybox httpd -f -p 8080 -h /v';
  return [
    claim('volume', {}),
    claim('disk', { storageClassName: DISK_CLASS }),
    pod(
      'server',
      serve,
      { volumes: [volume('v', 'volume'), volume('d', 'disk')] },
      {
        volumeMounts: [
          { name: 'v', mountPath: '/v' },
          { name: 'd', mountPath: '/d' },
        ],
      },
    ),
    pod('client', 'while true; do sleep 3600; done', {}, { resources: { limits: { 'nvidia.com/gpu': 1 } } }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'server', namespace: NAMESPACE },
      spec: { type: 'NodePort', selector: { app: 'server' }, ports: [{ port: 80, targetPort: 8080, nodePort: 30999 }] },
    },
  ];
}

/** One HTTP GET, byte by byte; the answer once the server ended its side. */
function fetchRaw(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.end('GET / HTTP/1.0\r\n\r\n'));
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

describe('what a Pod and a person get from the node', () => {
  test('cluster DNS answers, and a Service leads to its Pod by name and by ClusterIP', async () => {
    expect(await exec('client', ['nslookup', `server.${NAMESPACE}.svc.cluster.local`])).toContain('Address');
    expect(await exec('client', ['wget', '-qO-', `http://server.${NAMESPACE}.svc.cluster.local`])).toBe('served\n');
    const ip = await inside(['get', 'service', 'server', '-o', 'jsonpath={.spec.clusterIP}']);
    expect(await exec('client', ['wget', '-qO-', `http://${ip}`])).toBe('served\n');
  });

  test('a claim without a class is bound to a volume of the default StorageClass', async () => {
    const claim = JSON.parse(await inside(['get', 'pvc', 'volume', '-o', 'json']));
    expect(claim).toMatchObject({
      status: { phase: 'Bound' },
      spec: { storageClassName: cluster.handle.storageClass },
    });
  });

  test('logs, exec and port-forward work', async () => {
    expect(await inside(['logs', 'server'])).toBe('a line for the log\n');
    expect(await inside(['exec', '-i', 'client', '--', '/bin/busybox', 'cat'], 'to and fro')).toBe('to and fro');
    const child = spawn(cluster.spec.tools.kube, [
      ...['kubectl', '--kubeconfig', cluster.handle.kubeconfig, '-n', NAMESPACE],
      ...['port-forward', 'pod/server', ':8080'],
    ]);
    try {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      const port = await until(
        'port-forward: a port is told',
        30,
        async () => Number(/127\.0\.0\.1:(\d+)/.exec(said)?.[1] ?? '') || undefined,
      );
      expect(await fetchRaw(port)).toContain('served');
    } finally {
      child.kill();
    }
  });

  test('metrics-server answers `top`', async () => {
    const top = await until('metrics-server: Node node-1 has metrics', 120, async () =>
      cluster.kubectl(['top', 'nodes', '--no-headers']).catch(() => undefined),
    );
    expect(top).toMatch(/^node-1\s+\d+m/);
  });

  test('a Pod that asks for a fake GPU is bound to the node of the pool that has it', async () => {
    const node = await inside(['get', 'pod', 'client', '-o', 'jsonpath={.spec.nodeName}']);
    expect(node).toBe('node-1');
    const labels = JSON.parse(await cluster.kubectl(['get', 'node', node, '-o', 'jsonpath={.metadata.labels}']));
    expect(labels['delos.dev/pool']).toBe('default');
  });

  test('an image that nobody has is not found in the mirror, and the Pod says so', async () => {
    const image = 'registry.delos.internal/delos/nothing:1';
    await inside(['run', 'nothing', `--image=${image}`, '--restart=Never']);
    const message = await until('Pod nothing: ErrImagePull', 60, async () => {
      const path = 'jsonpath={.status.containerStatuses[0].state.waiting.message}';
      const text = await inside(['get', 'pod', 'nothing', '-o', path]);
      return text.includes(image) ? text : undefined;
    });
    expect(message).toContain('not found');
    await inside(['delete', 'pod', 'nothing', '--now']);
  });

  test('who has no name is told about health alone', async () => {
    const get = async (path: string) => [path, await statusOf(`${cluster.handle.server}${path}`)];
    expect(await Promise.all(['/readyz', '/api', '/version', '/metrics'].map(get))).toEqual([
      ['/readyz', 200],
      ['/api', 401],
      ['/version', 401],
      ['/metrics', 401],
    ]);
  });

  test('a Secret lies encrypted in etcd', async () => {
    await inside(['create', 'secret', 'generic', 'hidden', '--from-literal=key=plain-words']);
    const value = readEtcd(cluster, `/registry/secrets/${NAMESPACE}/hidden`);
    expect(value.subarray(0, 17).toString()).toBe('k8s:enc:secretbox');
    expect(value.includes('plain-words')).toBe(false);
  });
});

function statusOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}

/** A value as etcd has it, asked for in the node's network namespace: it listens on no other loopback. */
function readEtcd({ spec, processes }: TestCluster, key: string): Buffer {
  const { pki } = layoutOf(spec.state);
  const body = JSON.stringify({ key: Buffer.from(key).toString('base64') });
  const script = `
    const { readFileSync } = require('node:fs');
    const file = (name) => readFileSync(${JSON.stringify(pki)} + '/' + name);
    const tls = { ca: file('etcd-ca.crt'), cert: file('etcd-client.crt'), key: file('etcd-client.key') };
    require('node:https').request('https://127.0.0.1:2379/v3/kv/range', { ...tls, method: 'POST' }, (response) =>
      response.pipe(process.stdout)).end(${JSON.stringify(body)});`;
  const init = processes().get(1);
  const answer = execFileSync('nsenter', ['--net', '--target', String(init), process.execPath, '-e', script]);
  const { kvs } = z.object({ kvs: z.array(z.object({ value: z.string() })) }).parse(JSON.parse(answer.toString()));
  return Buffer.from(kvs[0]?.value ?? '', 'base64');
}

describe('a label that the API server refuses', () => {
  test('ends `up` at once and is shown by status, while the pool keeps its label; the next `up` goes on', async () => {
    const good = testConfig();
    const [pool, ...others] = good.nodePools;
    if (pool === undefined) throw new Error('the tests have no node pool');
    // The parser would refuse it: this is what came past it.
    const bad = { ...good, nodePools: [{ ...pool, labels: { 'gpu-type': 'A100 80GB' } }, ...others] };
    await expect(cluster.engine.up(bad, silent)).rejects.toMatchObject({
      code: 'ERR_CLUSTER_START',
      message: expect.stringMatching(/labels of the Node.*422.*A100 80GB/) as string,
    });
    const status = await cluster.engine.status();
    expect(status?.parts.filter(({ healthy }) => !healthy)).toMatchObject([
      { name: 'node', message: expect.stringMatching(/422.*A100 80GB/) as string },
    ]);
    expect(status?.nodes[0]?.pool).toBe(pool.name);
    await cluster.engine.up(good, silent);
    expect((await cluster.engine.status())?.parts.filter(({ healthy }) => !healthy)).toEqual([]);
  });
});

describe('loopback ports', () => {
  test('a node port answers on the loopback port that it keeps; a port of somebody else is refused by name', async () => {
    const [first] = await cluster.handle.exposeLoopback([{ host: 0, node: 30999 }]);
    expect(await fetchRaw(first?.host ?? 0)).toContain('served');
    expect(await cluster.handle.exposeLoopback([{ host: 0, node: 30999 }])).toEqual([first]);

    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(cluster.handle.exposeLoopback([{ host: port, node: 30999 }])).rejects.toMatchObject({
      code: 'ERR_PORT_TAKEN',
      message: expect.stringContaining(`port ${port} of 127.0.0.1 is taken by process ${process.pid}`),
    });
    await new Promise((resolve) => other.close(resolve));
    // The one that it had is still there.
    expect(await fetchRaw(first?.host ?? 0)).toContain('served');
  });
});

describe('SIGKILL', () => {
  test('of any part is repaired by the supervisor, while Pods run on', async () => {
    const started = await inside(['get', 'pod', 'server', '-o', 'jsonpath={.status.containerStatuses[0].containerID}']);
    const before = new Map(cluster.parts()?.parts.map((part) => [part.name, part.restarts]));
    const ids = cluster.processes();
    for (const part of cluster.parts()?.parts ?? []) {
      const pid = ids.get(part.pid ?? -1);
      if (pid === undefined) throw new Error(`${part.name} does not run`);
      process.kill(pid, 'SIGKILL');
    }
    await until('all parts: restarted and ready', 120, async () =>
      cluster.parts()?.parts.every((part) => part.state === 'ready' && part.restarts > (before.get(part.name) ?? 0))
        ? true
        : undefined,
    );
    await cluster.engine.up(testConfig(), silent);
    // A kubelet that was started again takes a Pod, DNS' too, for not ready until it has asked it once.
    const served = await until('the server is found by its name', 60, (last) =>
      exec('client', ['wget', '-qO-', 'http://server']).catch((error: unknown) => last(String(error))),
    );
    expect(served).toBe('served\n');
    const now = await inside(['get', 'pod', 'server', '-o', 'jsonpath={.status.containerStatuses[0].containerID}']);
    expect(now).toBe(started);
  });

  test('of the supervisor, and of the host process, is repaired by what started them', async () => {
    const supervisor = cluster.processes().get(cluster.parts()?.pid ?? -1);
    const began = cluster.parts()?.began;
    if (supervisor === undefined) throw new Error('the supervisor does not run');
    process.kill(supervisor, 'SIGKILL');
    await until('supervisor: runs again', 60, async () => {
      const now = cluster.parts();
      return now !== undefined && now.began !== began && now.parts.every((part) => part.state === 'ready')
        ? now
        : undefined;
    });
    const [exposed] = await cluster.handle.exposeLoopback([{ host: 0, node: 30999 }]);
    const marker = `delos-host:${cluster.paths.state}`;
    for (const { pid } of findByArgument(marker)) process.kill(pid, 'SIGKILL');
    await cluster.engine.up(testConfig(), silent);
    expect(
      await until('loopback port: answers again', 30, () => fetchRaw(exposed?.host ?? 0).catch(() => undefined)),
    ).toContain('served');
  });

  test('of everything loses no data, of volumes and of disks: `up` repairs', async () => {
    // The test before killed the host: its Pods may just be coming back.
    const write = 'echo kept > /v/kept; echo kept, too > /d/kept; sync';
    await until('Pod server: takes a file', 60, () =>
      inside(['exec', 'server', '--', 'sh', '-c', write]).catch(() => undefined),
    );
    killNode(cluster.paths);
    cluster = await clusterOf(TEST_INSTANCE);
    const kept = await until('Pod server: runs again', 120, () =>
      exec('server', ['cat', '/v/kept', '/d/kept']).catch(() => undefined),
    );
    expect(kept).toBe('kept\nkept, too\n');
  });
});

describe('a second instance', () => {
  const instance = `${TEST_INSTANCE}-two`.slice(0, 20);

  test('comes up beside the first after three kills of its `up`, refuses two at once, and leaves nothing', async () => {
    const engine = await embeddedEngineOf(instance);
    await engine.down({ deleteData: true }, silent);
    const script = `
      const { clusterOf } = await import(${JSON.stringify(join(import.meta.dirname, '../../support/cluster/cluster.ts'))});
      await clusterOf(${JSON.stringify(instance)});`;
    for (const moment of [700, 1500, 4000]) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await sleep(moment);
      child.kill('SIGKILL');
      await ended;
    }
    const [won, lost] = await Promise.allSettled([clusterOf(instance), clusterOf(instance)]).then((both) =>
      both.sort((left, right) => (left.status === right.status ? 0 : left.status === 'fulfilled' ? -1 : 1)),
    );
    expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'ERR_LOCKED' } });
    if (won?.status !== 'fulfilled') throw new Error('no up came through');
    const second = won.value;
    expect(second.spec.number).not.toBe(cluster.spec.number);
    expect(await second.kubectl(['get', 'nodes', '-o', 'name'])).toBe('node/node-1\n');
    expect(await exec('client', ['wget', '-qO-', 'http://server'])).toBe('served\n');

    const layout = layoutOf(second.paths.state);
    const made = readInventory(layout.inventory);
    expect((await Promise.all(made.map(remains))).flat().length).toBeGreaterThan(4);
    await engine.down({ deleteData: true }, silent);
    expect((await Promise.all(made.map(remains))).flat()).toEqual([]);
    expect(existsSync(layout.cluster)).toBe(false);
    expect(await engine.status()).toBeUndefined();
    await expect(engine.handle()).rejects.toMatchObject({ code: 'ERR_NOT_UP' });
    // The first did not notice.
    expect(await exec('client', ['wget', '-qO-', 'http://server'])).toBe('served\n');
  });
});
