import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { engineFor, engineKindOf, preflight } from '@delos/cluster';
import { instancePaths, platformConfig, silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { versionCheck } from '../../../cluster/src/preflight/cluster.ts';
import { lacksUserNamespaces, type NodeFacts } from '../../../cluster/src/user-namespaces.ts';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

const home = temporaryFolder('existing');
const paths = instancePaths('mine', { HOME: home });
const config = platformConfig.parse({ cluster: { engine: 'existing' } });
let api: Server;
let server: string;

/** What these reads of an API server answer; no cluster is behind it. */
const ANSWERS: Record<string, unknown> = {
  '/version': { gitVersion: 'v1.34.1' },
  '/api/v1/nodes': {
    items: [
      {
        metadata: { name: 'a', labels: { 'delos.dev/pool': 'default' } },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      },
      { metadata: { name: 'b' }, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
    ],
  },
  '/api/v1/namespaces/kube-system/services': {
    items: [{ spec: { clusterIPs: ['10.96.0.10', 'fd00:96::a'] } }, { spec: { clusterIPs: ['None'] } }, { spec: {} }],
  },
  // Node b does not answer.
  '/api/v1/nodes/a/proxy/configz': { kubeletconfig: { podPidsLimit: 4096, seccompDefault: true } },
  '/apis/storage.k8s.io/v1/storageclasses': {
    items: [
      { metadata: { name: 'slow' } },
      { metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } },
    ],
  },
  '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices': {
    items: [{ endpoints: [{ addresses: ['192.0.2.10'] }], ports: [{ port: 6443 }] }],
  },
};

beforeAll(async () => {
  api = createServer((request, response) => {
    const answer = ANSWERS[(request.url ?? '').split('?')[0] ?? ''];
    const allowed = request.headers.authorization === 'Bearer good';
    response.statusCode = allowed ? (answer === undefined ? 404 : 200) : 401;
    response.end(JSON.stringify(answer ?? {}));
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  server = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
});
afterAll(() => {
  api.close();
});

/** A kubeconfig with a context for each server, the first one current. */
function kubeconfig(servers: Readonly<Record<string, string>>, token = 'good'): string {
  const names = Object.keys(servers);
  const path = join(mkdtempSync(join(home, 'kubeconfig-')), 'config');
  writeFileSync(
    path,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': names[0],
      clusters: names.map((name) => ({ name, cluster: { server: servers[name], 'insecure-skip-tls-verify': true } })),
      users: [{ name: 'me', user: { token } }],
      contexts: names.map((name) => ({ name, context: { cluster: name, user: 'me' } })),
    }),
  );
  return path;
}

const engine = (file: string, rest: { yes?: boolean; context?: string } = {}) =>
  engineFor(config, { paths, env: { HOME: home, KUBECONFIG: file }, ...rest });

describe('which engine is meant', () => {
  const auto = platformConfig.parse({});
  test.each([
    ['nothing set', auto, {}, 'embedded'],
    ['an empty KUBECONFIG', auto, { KUBECONFIG: '' }, 'embedded'],
    ['a KUBECONFIG', auto, { KUBECONFIG: '/elsewhere/config' }, 'existing'],
    [
      'the KUBECONFIG of this instance’s own cluster',
      auto,
      { KUBECONFIG: `${paths.state}/cluster/kubeconfig` },
      'embedded',
    ],
    [
      'a KUBECONFIG, but embedded asked for',
      platformConfig.parse({ cluster: { engine: 'embedded' } }),
      { KUBECONFIG: '/x' },
      'embedded',
    ],
    ['a context', platformConfig.parse({ cluster: { context: 'mine' } }), {}, 'existing'],
    ['kind', platformConfig.parse({ cluster: { engine: 'kind' } }), {}, 'kind'],
  ])('%s', (_case, settings, env, kind) => {
    expect(engineKindOf(settings, { paths, env })).toBe(kind);
  });
});

describe('a cluster that somebody else runs', () => {
  test('on loopback it is used, shown, described, and left as it is', async () => {
    const shown: string[] = [];
    const used = await engine(kubeconfig({ local: server }));
    const handle = await used.up(config, { ...silent, warn: (text) => shown.push(text) });
    expect(shown).toEqual([`using the cluster of context local at ${server}`]);
    expect(handle).toMatchObject({
      kind: 'existing',
      context: 'local',
      server,
      storageClass: 'fast',
      apiServer: { addresses: ['192.0.2.10'], port: 6443 },
      // Where a DNS cache on each node answers in place of cluster DNS.
      dnsAddresses: ['169.254.20.10', '10.96.0.10', 'fd00:96::a'],
      images: { kind: 'upstream' },
    });
    expect(statSync(handle.kubeconfig).mode & 0o777).toBe(0o600);
    expect(readFileSync(handle.kubeconfig, 'utf8')).toContain(server);
    expect(await used.status()).toMatchObject({
      version: 'v1.34.1',
      nodes: [
        { name: 'a', ready: true, pool: 'default' },
        { name: 'b', ready: false },
      ],
    });
    await used.down({ deleteData: true }, silent);
    expect(existsSync(handle.kubeconfig)).toBe(true);
  });

  test('a server that is not this machine has to be named, or accepted with --yes', async () => {
    const file = kubeconfig({ far: 'https://192.0.2.77:6443' });
    await expect((await engine(file)).status()).rejects.toMatchObject({
      code: 'ERR_CLUSTER_CONTEXT',
      message: 'context far leads to https://192.0.2.77:6443, which is not this machine',
      hint: expect.stringContaining('--context far'),
    });
    for (const [name, accepted] of Object.entries({ context: { context: 'far' }, yes: { yes: true } })) {
      // Accepted: what fails then is the connection. A loopback address stands in for a name that leads elsewhere.
      const other = kubeconfig({ far: 'https://localhost.invalid:1' });
      await expect((await engine(other, accepted)).status(), name).rejects.toMatchObject({
        code: 'ERR_CLUSTER_UNREACHABLE',
      });
    }
  });

  test('the context that is named is used, not the current one', async () => {
    const file = kubeconfig({ far: 'https://192.0.2.77:6443', local: server });
    expect(await (await engine(file, { context: 'local' })).status()).toMatchObject({ server });
  });

  test.each([
    [
      'a context that is not there',
      () => engine(kubeconfig({ a: server }), { context: 'b' }),
      'ERR_CLUSTER_CONTEXT',
      '--context: a',
    ],
    ['a file that is not there', () => engine(join(home, 'none')), 'ERR_CLUSTER_UNREACHABLE', 'KUBECONFIG'],
    [
      'a server that does not listen',
      () => engine(kubeconfig({ a: 'http://127.0.0.1:1' })),
      'ERR_CLUSTER_UNREACHABLE',
      'kubectl cluster-info',
    ],
    [
      'a token that is not accepted',
      () => engine(kubeconfig({ a: server }, 'bad')),
      'ERR_CLUSTER_UNREACHABLE',
      'administrator',
    ],
  ])('%s is one clear error with what to do', async (_case, make, code, hint) => {
    const failure = await (await make()).status().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, hint: expect.stringContaining(hint) });
    expect((failure as { render(): string }).render().split('\n').length).toBeLessThanOrEqual(5);
  });

  test('a file that is no kubeconfig says so', async () => {
    const file = join(home, 'broken');
    writeFileSync(file, 'clusters: [');
    await expect((await engine(file)).status()).rejects.toMatchObject({
      code: 'ERR_CLUSTER_UNREACHABLE',
      message: expect.stringContaining(file),
    });
  });

  test('preflight tells the same without failing', async () => {
    const options = { paths, env: { HOME: home, KUBECONFIG: kubeconfig({ a: 'http://127.0.0.1:1' }) } };
    const [first] = await preflight(config, options);
    expect(first).toMatchObject({
      id: 'cluster.reachable',
      ok: false,
      fatal: true,
      code: 'ERR_CLUSTER_UNREACHABLE',
    });
  });
});

describe('what an existing cluster must bring', () => {
  const checksOf = async (settings: object) => {
    const given = platformConfig.parse({ domain: 'a.example.com', cluster: { engine: 'existing' }, ...settings });
    return preflight(given, { paths, env: { HOME: home, KUBECONFIG: kubeconfig({ a: server }) } });
  };

  test('version, StorageClass and a ready node for each pool; a pool without one is a warning', async () => {
    const nodePools = [{ name: 'default' }, { name: 'gpu' }, { name: 'spare', minSize: 0 }];
    expect((await checksOf({ nodePools })).map(({ id, ok, fatal }) => [id, ok, fatal])).toEqual([
      ['cluster.reachable', true, true],
      ['cluster.version', true, true],
      ['cluster.storage', true, true],
      ['cluster.disks', true, false],
      ['cluster.users', false, false],
      ['pool.default', true, false],
      ['pool.gpu', false, false],
      ['nodes.pids', false, false],
      ['nodes.sockets', true, false],
    ]);
  });

  test('of the only pool an unlabelled node is a node too, if it is ready', async () => {
    const pool = (await checksOf({ nodePools: [{ name: 'other' }] })).find(({ id }) => id === 'pool.other');
    expect(pool).toMatchObject({ ok: false, fix: 'kubectl label node NODE delos.dev/pool=other' });
  });

  test('a limit to the processes of a Pod on each node; one that could not be asked is named', async () => {
    const pids = (await checksOf({})).find(({ id }) => id === 'nodes.pids');
    expect(pids).toMatchObject({ ok: false, measured: 'b did not tell' });
  });

  test('where the platform is reached by loopback, its ports must be free', async () => {
    const gateway = { httpPort: Number(new URL(server).port), httpsPort: 0 };
    const [port] = (await checksOf({ domain: 'localhost', gateway })).filter(({ id }) => id === 'port.http');
    expect(port).toMatchObject({ ok: false, code: 'ERR_PORT_TAKEN' });
  });

  const able: NodeFacts = {
    name: 'a',
    kubelet: 'v1.34.1',
    kernel: '6.8.0',
    runtime: 'containerd://2.1.4',
    userNamespaces: true,
  };
  test.each([
    ['v1.34.1', [able, { ...able, name: 'b' }], []],
    ['v1.33.0+k3s1', [{ ...able, kubelet: 'v1.33.0+k3s1' }], []],
    ['v1.32.9', [able], ['the API server is Kubernetes v1.32.9']],
    ['v1.34.1', [], ['there is no node']],
    [
      'v1.34.1',
      [able, { ...able, name: 'old', kubelet: 'v1.31.2' }, { ...able, name: 'c6', userNamespaces: false }],
      [
        'the kubelet of node old is Kubernetes v1.31.2',
        'the runtime of node c6 offers none (containerd://2.1.4, Linux 6.8.0)',
      ],
    ],
  ])('Kubernetes %s has user namespaces where its server and each node have (%#)', (version, nodes, lacks) => {
    expect(lacksUserNamespaces(version, nodes)).toEqual(lacks);
  });

  test('a node offers user namespaces by the runtime handler that has no name', async () => {
    const node = (handlers: unknown) => ({
      metadata: { name: 'a' },
      status: {
        nodeInfo: { kubeletVersion: 'v1.34.1', kernelVersion: '6.8', containerRuntimeVersion: 'containerd://2.1.4' },
        runtimeHandlers: handlers,
      },
    });
    const userNamespaces = { features: { userNamespaces: true } };
    for (const [handlers, expected] of [
      [[{ name: '', ...userNamespaces }], true],
      [[userNamespaces], true],
      [[{ name: 'gvisor', ...userNamespaces }, { name: '' }], false],
      [[{ name: '', features: { userNamespaces: false } }], false],
      [null, false],
      [undefined, false],
    ] as const) {
      ANSWERS['/api/v1/nodes'] = { items: [node(handlers)] };
      const users = (await checksOf({})).find(({ id }) => id === 'cluster.users');
      expect(users, JSON.stringify(handlers)).toMatchObject({ ok: expected, fatal: false });
    }
    expect(await checksOf({ cluster: { engine: 'existing', userNamespaces: false } })).not.toContainEqual(
      expect.objectContaining({ id: 'cluster.users' }),
    );
  });

  test.each([
    ['v1.34.4', true],
    ['v1.30.0+k3s1', true],
    ['v1.29.12-eks-1', false],
    ['v2.0.0', true],
    ['', false],
  ])('Kubernetes %j is new enough: %s', (version, ok) => {
    expect(versionCheck(version).ok).toBe(ok);
  });
});
