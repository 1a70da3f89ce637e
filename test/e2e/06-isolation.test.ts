import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { projectNamespace } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { execute } from '../../peers/src/command.ts';
import { attacks, duties } from '../support/agent/agent-attacks.ts';
import type { Targets } from '../support/agent/agent-requests.ts';
import { serviceProcesses } from '../support/cluster/node.ts';
import { delos, delosJson, kubectl, testPlatform } from '../support/instance.ts';
import { type KubeAnswer, type KubeRequest, withAgentToken } from '../support/service/agent-token.ts';
import { type Api, api } from '../support/service/api.ts';
import { until } from '../support/until.ts';

/** Tries TCP from inside a process's network namespace; the program is ours, so the image needs no shell. */
async function connectFrom(pid: number, host: string, port: number): Promise<string> {
  const code = `const s = require('node:net').connect({ host: '${host}', port: ${port} });
    s.setTimeout(4000, () => { console.log('silence'); process.exit(); });
    s.on('connect', () => { console.log('connected'); process.exit(); });
    s.on('error', (e) => { console.log(e.code); process.exit(); });`;
  return (await execute(['nsenter', '--net', '-t', String(pid), process.execPath, '-e', code])).stdout.trim();
}

/** Where the API server is: its Service, then what is behind that. */
async function apiServers(): Promise<{ ip: string; port: number }[]> {
  const slices = z
    .object({
      subsets: z.array(
        z.object({
          addresses: z.array(z.object({ ip: z.string() })),
          ports: z.array(z.object({ port: z.number() })),
        }),
      ),
    })
    .parse(JSON.parse(await kubectl(['get', 'endpoints', 'kubernetes', '-o', 'json'])));
  const service = await kubectl(['get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}']);
  return [
    { ip: service, port: 443 },
    ...slices.subsets.flatMap(({ addresses, ports }) =>
      addresses.flatMap(({ ip }) => ports.map(({ port }) => ({ ip, port }))),
    ),
  ];
}

describe('the control plane and Kubernetes', () => {
  let apiServer: { ip: string; port: number }[];
  beforeAll(async () => {
    await testPlatform();
    apiServer = await apiServers();
  });

  const processOf = (part: string): Promise<number> =>
    until(`${part} runs`, 60, async () => (await serviceProcesses(part))[0]?.pid);

  // Not by /var/run: that is a link, which from here would lead to this machine's own /run.
  const hasToken = async (pid: number): Promise<boolean> =>
    (await execute(['test', '-e', `/proc/${pid}/root/run/secrets/kubernetes.io/serviceaccount/token`])).code === 0;

  test.each(['control-api', 'scheduler'])('%s holds no Kubernetes token', async (part) => {
    const pods = z
      .object({
        items: z
          .array(
            z.object({
              spec: z.object({
                automountServiceAccountToken: z.boolean().optional(),
                volumes: z.array(z.looseObject({})).default([]),
              }),
            }),
          )
          .min(1),
      })
      .parse(
        JSON.parse(await kubectl(['get', 'pods', '-n', 'delos', '-l', `app.kubernetes.io/name=${part}`, '-o', 'json'])),
      );
    for (const { spec } of pods.items) {
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(JSON.stringify(spec.volumes)).not.toContain('serviceAccountToken');
    }
    const pid = await processOf(part);
    expect(await hasToken(pid)).toBe(false);
    // The same way of looking does find the agent's.
    expect(await hasToken(await processOf('agent'))).toBe(true);
    const environment = (await execute(['cat', `/proc/${pid}/environ`])).stdout;
    expect(environment).toContain('PGPASSWORD_FILE');
    expect(environment.toLowerCase()).not.toContain('kubeconfig');
  });

  test.each(['control-api', 'scheduler'])('%s has no route to the API server, by Service or address', async (part) => {
    const pid = await processOf(part);
    for (const { ip, port } of apiServer) {
      expect(await connectFrom(pid, ip, port), `${part} → ${ip}:${port}`).not.toBe('connected');
    }
    // The same way of asking does connect where the policy allows it: the check above can fail.
    const postgres = await kubectl(['get', 'service', 'postgres', '-n', 'delos', '-o', 'jsonpath={.spec.clusterIP}']);
    expect(await connectFrom(pid, postgres, 5432)).toBe('connected');
  });

  test('only the agent reaches the API server', async () => {
    const [first] = apiServer;
    expect(await connectFrom(await processOf('agent'), first?.ip ?? '', first?.port ?? 0)).toBe('connected');
  });

  test('who has a user of Redis reaches it, and no other part does', async () => {
    const redis = await kubectl(['get', 'service', 'redis', '-n', 'delos', '-o', 'jsonpath={.spec.clusterIP}']);
    expect(await connectFrom(await processOf('control-api'), redis, 6379)).toBe('connected');
    for (const part of ['scheduler', 'agent']) {
      expect(await connectFrom(await processOf(part), redis, 6379), part).not.toBe('connected');
    }
    const log = (await delosJson(z.looseObject({ text: z.string() }), ['logs', 'control-api'])).text;
    expect(log).toContain('the cache is connected');
  });

  test('internal addresses are not served to the outside', async () => {
    const { origin } = await testPlatform();
    for (const path of ['/internal/agent/v1/connect', '/metrics', '/health/ready', '/auth/admin/']) {
      const { status } = await fetch(origin + path, { redirect: 'manual' });
      expect(status, path).toBeGreaterThanOrEqual(400);
    }
  });

  test('every Pod of the platform is admitted by the restricted Pod Security level', async () => {
    const labels = await kubectl(['get', 'namespace', 'delos', '-o', 'jsonpath={.metadata.labels}']);
    expect(JSON.parse(labels)).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  test('no secret is in a manifest, an argument or a log of ours', async () => {
    const secrets = z
      .object({ items: z.array(z.object({ data: z.record(z.string(), z.string()).default({}) })) })
      .parse(JSON.parse(await kubectl(['get', 'secrets', '-n', 'delos', '-o', 'json'])));
    const values = secrets.items
      .flatMap(({ data }) => Object.values(data))
      .map((value) => Buffer.from(value, 'base64').toString())
      .filter((value) => value.length >= 12 && !value.includes('CERTIFICATE'));
    expect(values.length).toBeGreaterThan(2);
    const seen = [
      await kubectl(['get', 'deployments,statefulsets,daemonsets,configmaps,pods', '-A', '-o', 'yaml']),
      (await execute(['ps', '-eo', 'args', '-ww'])).stdout,
    ];
    for (const part of ['control-api', 'scheduler', 'agent', 'gateway', 'keycloak', 'postgres', 'redis']) {
      seen.push((await delosJson(z.looseObject({ text: z.string() }), ['logs', part])).text);
    }
    for (const value of values) for (const text of seen) expect(text.includes(value)).toBe(false);
  });
});

describe('a job', () => {
  let platform: Api;
  beforeAll(async () => {
    await testPlatform();
    platform = await api('ann');
  });
  /** The last line that a Python program prints as a job. */
  async function said(program: string): Promise<string> {
    const { id } = await platform.create({ command: `python3 -c "${program}"` });
    await platform.ended(id);
    return (await platform.log(id)).toString().trim().split('\n').at(-1) ?? '';
  }

  test('gets no socket that leads past its network namespace', async () => {
    // AF_INET, AF_UNIX; AF_VSOCK, AF_ALG, AF_TIPC.
    const program = `import socket
def kind(f):
    try:
        socket.socket(f, 1).close(); return 'yes'
    except OSError as e: return str(e.errno)
print([kind(f) for f in (2, 1, 40, 38, 30)])`;
    expect(await said(program)).toBe("['yes', 'yes', '1', '1', '1']");
  });

  test('reaches the gateway, no other part, and the machine at none of its addresses', async () => {
    const redis = await kubectl(['get', 'service', 'redis', '-n', 'delos', '-o', 'jsonpath={.spec.clusterIP}']);
    const gateway = await kubectl(['get', 'service', 'gateway', '-n', 'delos', '-o', 'jsonpath={.spec.clusterIP}']);
    const server = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const targets = [
      [gateway, 8080],
      [redis, 6379],
      ...own.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => [address, port]),
    ];
    const program = `import socket
def reach(t):
    try:
        socket.create_connection(tuple(t), 4).close(); return 'yes'
    except OSError: return 'no'
print(' '.join(reach(t) for t in ${JSON.stringify(targets).replaceAll('"', "'")}))`;
    expect(targets.length).toBeGreaterThan(1);
    expect(await said(program)).toBe(['yes', ...targets.slice(1).map(() => 'no')].join(' '));
    server.close();
  });
});

describe('whoever has the agent’s token', () => {
  let ask: (request: KubeRequest) => Promise<KubeAnswer>;
  let targets: Targets;
  let platform: Api;
  let job: string;
  beforeAll(async () => {
    await testPlatform();
    platform = await api('ann');
    job = (await platform.create({ command: 'sleep 3000' })).id;
    await platform.running(job);
    // The last one: this machine has no route to the Service's address.
    ask = await withAgentToken((await apiServers()).at(-1) ?? { ip: '', port: 0 });
    const first = async (...args: string[]): Promise<string> =>
      (await kubectl(['get', ...args, '-o', 'jsonpath={.items[0].metadata.name}'])).trim();
    targets = {
      project: { namespace: projectNamespace('default', 'default'), pod: job },
      parts: {
        postgres: await first('pods', '-n', 'delos', '-l', 'app.kubernetes.io/name=postgres'),
        gateway: await first('pods', '-n', 'delos', '-l', 'app.kubernetes.io/name=gateway'),
      },
      dns: await first('pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns'),
      node: await first('nodes'),
    };
  });
  afterAll(async () => {
    await platform?.call('DELETE', `/jobs/${job}`);
  });

  // Names only: what is aimed at is known once the platform is up.
  const nowhere: Targets = {
    project: { namespace: '', pod: '' },
    parts: { postgres: '', gateway: '' },
    dns: '',
    node: '',
  };
  const requestOf = (list: ReturnType<typeof attacks>, name: string): KubeRequest => {
    const found = list.find(([other]) => other === name)?.[1];
    if (found === undefined) throw new Error(`no attempt is called ${name}`);
    return found;
  };

  test.each(attacks(nowhere).map(([name]) => name))('cannot %s', async (name) => {
    expect(await ask(requestOf(attacks(targets), name))).toEqual({
      status: 403,
      message: expect.stringMatching(
        /is forbidden: (User "system:serviceaccount:delos:agent" cannot |user "system:serviceaccount:delos:agent" \(.*\) is attempting to grant RBAC permissions|ValidatingAdmissionPolicy 'delos-agent' |violates PodSecurity )/,
      ),
    });
  });

  test.each(duties(nowhere).map(([name]) => name))('can %s', async (name) => {
    const { status, message } = await ask(requestOf(duties(targets), name));
    expect(message).toBe('');
    expect([101, 200, 201]).toContain(status);
  });

  test('has in every namespace but those of projects no right over anything', async () => {
    const can = async (...args: string[]): Promise<string> =>
      (await delos(['kubectl', 'auth', 'can-i', ...args, '--as', 'system:serviceaccount:delos:agent'])).stdout.trim();
    for (const space of ['delos', 'delos-node', 'kube-system', 'default']) {
      for (const what of [
        'create pods',
        'delete pods',
        'patch pods',
        'create pods/exec',
        'get pods/log',
        'get secrets',
      ])
        expect(await can(...what.split(' '), '-n', space), `${what} in ${space}`).not.toMatch(/^yes/);
    }
    expect(await can('create', 'pods', '-n', targets.project.namespace)).toBe('yes');
    expect(await can('*', '*', '-A')).not.toMatch(/^yes/);
  });
});
