import { existsSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { MIRROR_HOST } from '@delos/artifacts';
import { imageMirror, MIRROR_PORT, silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DISK_CLASS } from '../../../cluster/src/disks/names.ts';
import { remains } from '../../../cluster/src/embedded/down.ts';
import { addressesOf } from '../../../cluster/src/embedded/host/addresses.ts';
import { readInventory } from '../../../cluster/src/embedded/host/inventory.ts';
import { layoutOf } from '../../../cluster/src/embedded/spec.ts';
import { clusterOf, embeddedEngineOf, type TestCluster, testConfig } from '../../support/cluster/cluster.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { until } from '../../support/until.ts';

/* Three embedded nodes in an instance of their own, which begins with one node and is taken down at the end. */

const INSTANCE = `${TEST_INSTANCE}-nod`.slice(0, 20);
const SPACE = 'nodes-test';
const NODES = ['node-1', 'node-2', 'node-3'] as const;
type Name = (typeof NODES)[number];
let cluster: TestCluster;
let firstBegan: string | undefined;
const addresses = new Map<string, string>();

const config = () => {
  const base = testConfig();
  const [first] = base.nodePools;
  if (first === undefined) throw new Error('the tests have no node pool');
  return { ...base, nodePools: [first, { ...first, name: 'second', labels: {} }] };
};
const MIRRORED = 'images.example.com';
/** The nodes' own registry plays the mirror: it holds the images of `registry.delos.internal`. */
const mirror = imageMirror.parse({ registry: MIRRORED, url: `http://127.0.0.1:${MIRROR_PORT}/${MIRROR_HOST}` });
const withPools = (...nodes: string[]) => {
  const base = config();
  const images = { ...base.images, mirrors: [mirror] };
  return { ...base, images, cluster: { ...base.cluster, embedded: { nodes } } };
};

const inside = (args: readonly string[], input?: string) => cluster.kubectl(['-n', SPACE, ...args], input);
const start = (...items: readonly unknown[]) =>
  inside(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
const exec = (pod: string, ...command: readonly string[]) => inside(['exec', pod, '--', '/bin/busybox', ...command]);
const ready = (...pods: readonly string[]) =>
  inside(['wait', ...pods.map((pod) => `pod/${pod}`), '--for=condition=Ready', '--timeout=90s']);
/** What is answered; undefined where nothing is, within two seconds. */
const ask = (from: string, host: string, port = 8080): Promise<string | undefined> =>
  exec(from, 'timeout', '2', '/bin/busybox', 'wget', '-qO-', `http://${host}:${port}`).then(
    (text) => text.trim(),
    () => undefined,
  );
const addressOf = async (pod: string): Promise<string> => inside(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}']);
const on = (node: string) => ({ nodeSelector: { 'kubernetes.io/hostname': node } });

function pod(name: string, script: string, spec: object = {}, container: object = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: SPACE, labels: { app: name, all: 'web' } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: cluster.spec.images.localPathProvisioner,
          command: ['sh', '-c', script],
          securityContext: { runAsUser: 0 },
          ...container,
        },
      ],
      ...spec,
    },
  };
}
/** A Pod that answers with its name, on its node. */
const server = (name: string, node: string) =>
  pod(
    name,
    `mkdir /v; echo ${name} > /v/index.html; echo it is ${name}; exec /bin/busybox httpd -f -p 8080 -h /v`,
    on(node),
  );
const service = (name: string, selector: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: SPACE },
  spec: { selector, ports: [{ port: 8080 }] },
});
const claim = (name: string, storageClassName: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: SPACE },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '8Mi' } } },
});
const holder = (name: string, node: string, claimName: string) =>
  pod(
    name,
    'while :; do sleep 3600; done',
    { ...on(node), volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] },
    { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
  );

beforeAll(async () => {
  await (await embeddedEngineOf(INSTANCE)).down({ deleteData: true }, silent);
  cluster = await clusterOf(INSTANCE, config());
  await cluster.kubectl(['create', 'namespace', SPACE]);
  await start(server('web-1', 'node-1'));
  await ready('web-1');
  firstBegan = cluster.parts()?.began;
});
afterAll(async () => {
  // For work on a single test: keep what is up.
  if (process.env.DELOS_TEST_KEEP !== undefined) return;
  await (await embeddedEngineOf(INSTANCE)).down({ deleteData: true }, silent);
});

describe('a second `up` with more nodes', () => {
  test('adds them, each in its pool, and what runs on the first is not touched', async () => {
    const before = await inside(['get', 'pod', 'web-1', '-o', 'jsonpath={.status.containerStatuses[0].containerID}']);
    await cluster.engine.up(withPools('default', 'second', 'second'), silent);
    const status = await cluster.engine.status();
    expect(status?.nodes.map(({ name, ready: is, pool, state }) => [name, is, pool, state])).toEqual([
      ['node-1', true, 'default', 'running'],
      ['node-2', true, 'second', 'running'],
      ['node-3', true, 'second', 'running'],
    ]);
    expect(status?.parts.filter(({ healthy }) => !healthy)).toEqual([]);
    expect(cluster.parts()?.began).toBe(firstBegan);
    expect(await inside(['get', 'pod', 'web-1', '-o', 'jsonpath={.status.containerStatuses[0].containerID}'])).toBe(
      before,
    );
  });
});

describe('Pods of different nodes', () => {
  beforeAll(async () => {
    await start(
      server('web-2', 'node-2'),
      server('web-3', 'node-3'),
      service('web', { all: 'web' }),
      ...['web-1', 'web-2', 'web-3'].map((name) => service(name, { app: name })),
    );
    await ready('web-2', 'web-3');
    for (const name of ['web-1', 'web-2', 'web-3']) addresses.set(name, await addressOf(name));
  });

  test('have addresses of their nodes, and reach each other by address, by Service and by name', async () => {
    const { number } = cluster.spec;
    for (const [at, name] of ['web-1', 'web-2', 'web-3'].entries()) {
      const { podCidr } = addressesOf(number, at + 1);
      expect(addresses.get(name)?.startsWith(podCidr.slice(0, podCidr.lastIndexOf('.') + 1))).toBe(true);
    }
    const pairs = ['web-1', 'web-2', 'web-3'].flatMap((from) =>
      ['web-1', 'web-2', 'web-3'].map((to) => ({ from, to })),
    );
    await Promise.all(
      pairs.map(async ({ from, to }) => {
        const ip = await inside(['get', 'service', to, '-o', 'jsonpath={.spec.clusterIP}']);
        const hosts = [addresses.get(to) ?? '', ip, `${to}.${SPACE}`];
        expect([from, ...(await Promise.all(hosts.map((host) => ask(from, host))))]).toEqual([from, to, to, to]);
      }),
    );
  });

  test('are known by their own address at the other end', async () => {
    // A policy tells it: one that lets in a block of this address alone.
    await start(server('seen', 'node-3'), allow('seen', [{ ipBlock: { cidr: `${addresses.get('web-2')}/32` } }]));
    await ready('seen');
    const ip = await addressOf('seen');
    await until('web-2 is let in', 20, async () => (await ask('web-2', ip)) === 'seen' || undefined);
    expect(await Promise.all([ask('web-1', ip), ask('web-3', ip)])).toEqual([undefined, undefined]);
    await inside(['delete', 'pod/seen', 'networkpolicy/seen', '--now']);
  });

  test('keep to a network policy, in and out, across nodes', async () => {
    await start(allow('web-2', [{ podSelector: { matchLabels: { app: 'web-1' } } }]));
    const answers = async () => [await ask('web-1', 'web-2'), await ask('web-3', 'web-2'), await ask('web-2', 'web-3')];
    await until('the policy of ingress holds', 20, async (last) => {
      const found = await answers();
      last(found);
      return JSON.stringify(found) === JSON.stringify(['web-2', undefined, 'web-3']) ? true : undefined;
    });
    await start({
      ...allow('web-3', []),
      spec: {
        podSelector: { matchLabels: { app: 'web-3' } },
        policyTypes: ['Egress'],
        egress: [{ to: [{ podSelector: { matchLabels: { app: 'web-1' } } }] }],
      },
    });
    await inside(['delete', 'networkpolicy/web-2']);
    const out = async () => [
      await ask('web-3', addresses.get('web-1') ?? ''),
      await ask('web-3', addresses.get('web-2') ?? ''),
      await ask('web-1', addresses.get('web-2') ?? ''),
    ];
    await until('the policy of egress holds', 20, async (last) => {
      const found = await out();
      last(found);
      return JSON.stringify(found) === JSON.stringify(['web-1', undefined, 'web-2']) ? true : undefined;
    });
    await inside(['delete', 'networkpolicy/web-3']);
  });

  test.each(NODES)('of %s are executed in, and their logs are read', async (node) => {
    const name = node.replace('node', 'web');
    expect(await exec(name, 'cat', '/v/index.html')).toBe(`${name}\n`);
    expect(await inside(['logs', name])).toBe(`it is ${name}\n`);
  });
});

const allow = (name: string, from: readonly object[]) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: SPACE },
  spec: { podSelector: { matchLabels: { app: name } }, policyTypes: ['Ingress'], ingress: [{ from }] },
});

test('the images of a registry that has a mirror come from there, and the nodes are not restarted for it', async () => {
  const image = cluster.spec.images.localPathProvisioner.replace(MIRROR_HOST, MIRRORED);
  expect(image.startsWith(`${MIRRORED}/`)).toBe(true);
  await start(...['node-1', 'node-3'].map((node) => pod(`mirrored-${node}`, 'exec sleep 3600', on(node), { image })));
  await ready('mirrored-node-1', 'mirrored-node-3');
  expect(cluster.parts()?.began).toBe(firstBegan);
  await inside(['delete', 'pod/mirrored-node-1', 'pod/mirrored-node-3', '--now']);
});

describe('the machine under the nodes', () => {
  let machine: Server;
  let port: number;
  beforeAll(async () => {
    machine = createServer((socket) => socket.on('error', () => undefined).end('HTTP/1.0 200 OK\r\n\r\nthe machine'));
    await new Promise<void>((resolve) => machine.listen(0, '::', resolve));
    const address = machine.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterAll(() => machine.close());

  test('is reached at none of its addresses by a Pod of whatever node, and reaches no Pod', async () => {
    const own = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ family, address }) => family === 'IPv4' && !address.startsWith('127.'))
      .map(({ address }) => address);
    expect(own).toEqual(expect.arrayContaining([1, 2, 3].map((at) => addressesOf(cluster.spec.number, at).hostIp)));
    expect(await (await fetch(`http://${own[0]}:${port}`)).text()).toBe('the machine');
    await Promise.all(
      ['web-1', 'web-2', 'web-3'].flatMap((pod) => [
        ...own.map(async (address) =>
          expect([pod, address, await ask(pod, address, port)]).toEqual([pod, address, undefined]),
        ),
        connects(addresses.get(pod) ?? '').then((found) => expect([pod, found]).toEqual([pod, false])),
      ]),
    );
  });
});

const connects = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host, port: 8080, timeout: 2000 });
    const end = (outcome: boolean) => {
      socket.destroy();
      resolve(outcome);
    };
    socket
      .on('connect', () => end(true))
      .on('error', () => end(false))
      .on('timeout', () => end(false));
  });

describe('volumes', () => {
  test('lie on the node of the first Pod that has them: disks, and folders of the default class', async () => {
    await start(claim('disk', DISK_CLASS), claim('folder', 'local-path'));
    await start(holder('disk-2', 'node-2', 'disk'), holder('folder-3', 'node-3', 'folder'));
    await ready('disk-2', 'folder-3');
    await exec('disk-2', 'sh', '-c', 'echo kept > /v/file; sync');
    for (const [name, node] of [
      ['disk', 'node-2'],
      ['folder', 'node-3'],
    ] as const) {
      const volume = await inside(['get', 'pvc', name, '-o', 'jsonpath={.spec.volumeName}']);
      const path = 'jsonpath={.spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]}';
      expect(await cluster.kubectl(['get', 'pv', volume, '-o', path])).toBe(node);
    }
  });
});

describe('a node that is lost', () => {
  const control = () => {
    const { nodes } = cluster.engine;
    if (nodes === undefined) throw new Error('the embedded engine controls its nodes');
    return nodes;
  };
  const served = (pod: Name | string) =>
    until(`${pod} answers on its node`, 60, () =>
      exec(pod, 'true')
        .then(() => true)
        .catch(() => undefined),
    );

  test('by SIGKILL of all in it is told as stopped, the others go on, and it comes back with its Pods and disks', async () => {
    await control().stop('node-2');
    const status = await cluster.engine.status();
    expect(status?.nodes.map(({ state }) => state)).toEqual(['running', 'stopped', 'running']);
    expect(status?.parts.filter(({ healthy }) => !healthy)).toMatchObject([
      { name: 'node-2', message: 'stopped: delos cluster node start node-2' },
    ]);
    expect(await ask('web-1', addresses.get('web-3') ?? '')).toBe('web-3');
    expect(await ask('web-1', addresses.get('web-2') ?? '')).toBeUndefined();
    await control().start('node-2', silent);
    await served('web-2');
    await served('disk-2');
    expect(await exec('disk-2', 'cat', '/v/file')).toBe('kept\n');
    addresses.set('web-2', await addressOf('web-2'));
    await until('web-1 reaches web-2', 30, async () => (await ask('web-1', 'web-2')) === 'web-2' || undefined);
  });

  test('by its network is out of reach until it is mended, while its Pods run on', async () => {
    const id = () => inside(['get', 'pod', 'web-3', '-o', 'jsonpath={.status.containerStatuses[0].containerID}']);
    const before = await id();
    await control().cut('node-3');
    expect((await cluster.engine.status())?.nodes.map(({ state }) => state)).toEqual(['running', 'running', 'cut']);
    expect(await ask('web-1', addresses.get('web-3') ?? '')).toBeUndefined();
    await control().mend('node-3', silent);
    expect(await ask('web-1', addresses.get('web-3') ?? '')).toBe('web-3');
    expect(await id()).toBe(before);
  });

  test('that is not there is refused with the names of those that are', async () => {
    await expect(control().stop('node-7')).rejects.toMatchObject({
      code: 'ERR_NOT_FOUND',
      hint: 'its nodes: node-1, node-2, node-3',
    });
  });
});

describe('an `up` with fewer nodes', () => {
  test('is refused where a volume would go with its node, unless that is asked for', async () => {
    await expect(cluster.engine.up(config(), silent, { nodes: 2 })).rejects.toMatchObject({
      code: 'ERR_CONFLICT',
      message: `node-3 holds volumes that would be lost with it: ${SPACE}/folder`,
    });
    expect(await ask('web-1', addresses.get('web-3') ?? '')).toBe('web-3');
    await cluster.engine.up(config(), silent, { nodes: 2, deleteData: true });
    expect((await cluster.engine.status())?.nodes.map(({ name }) => name)).toEqual(['node-1', 'node-2']);
    expect(await cluster.kubectl(['get', 'nodes', '-o', 'name'])).toBe('node/node-1\nnode/node-2\n');
    expect(existsSync(layoutOf(cluster.paths.state, 3).home)).toBe(false);
    expect(await ask('web-1', 'web-2')).toBe('web-2');
    expect(cluster.parts()?.began).toBe(firstBegan);
  });
});

test('`down` leaves nothing of any node', async () => {
  const layout = layoutOf(cluster.paths.state);
  const made = readInventory(layout.inventory);
  expect(made.filter(({ kind }) => kind === 'link')).toHaveLength(2);
  expect((await Promise.all(made.map(remains))).flat().length).toBeGreaterThan(8);
  await cluster.engine.down({ deleteData: true }, silent);
  expect((await Promise.all(made.map(remains))).flat()).toEqual([]);
  expect(existsSync(layout.cluster)).toBe(false);
  expect(await cluster.engine.status()).toBeUndefined();
});
