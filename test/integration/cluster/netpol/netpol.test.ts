import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type OutsideHost, outsideHost } from '../../../support/cluster/outside-host.ts';
import { until } from '../../../support/until.ts';
import { gateWaits, policyAgent } from './agent.ts';
import { EGRESS, INGRESS, SERVICES } from './cases.ts';
import { probedCluster } from './testcluster.ts';
import { World } from './world.ts';

/*
 * Each case is a table of real connections on a real node. A connection is between probes in Pods of namespaces x and
 * y, a host outside, the node and its API server; it counts as open when the server's own answer comes back.
 */

const ALL = { podSelector: {} } as const;
const SHUT = { ...ALL, policyTypes: ['Ingress'] } as const;
const SEALED = { ...ALL, policyTypes: ['Ingress', 'Egress'] } as const;
const a = { podSelector: { matchLabels: { app: 'a' } } } as const;
const fromB = { from: [{ podSelector: { matchLabels: { app: 'b' } } }] } as const;

let world: World;
let kubeconfig = '';
let outside: OutsideHost | undefined;

beforeAll(async () => {
  ({ kubeconfig } = await probedCluster());
  world = new World(kubeconfig);
  // Not the machine itself, which is closed to Pods whatever their policies say.
  outside = await outsideHost();
  await world.setUp(outside);
});

afterEach(() => world.dropAll());

afterAll(async () => {
  await world?.tearDown();
  outside?.close();
});

describe.each([
  ['ingress', INGRESS],
  ['egress', EGRESS],
  ['services and the node', SERVICES],
])('%s', (_, cases) => {
  test.each(cases)('$rule', async ({ policies, expect: expectations }) => {
    const found = typeof policies === 'function' ? policies(world.facts) : policies;
    for (const [name, spec] of Object.entries(found)) await world.apply(name, spec);
    await world.expect(expectations);
  });
});

describe('changes', () => {
  test('a policy that is deleted restores what it had closed', async () => {
    await world.apply('x/shut', SHUT);
    await world.expect(['x/b -> x/a:80 closed', 'y/a -> x/b:80 closed']);
    await world.drop('x/shut');
    await world.expect(['x/b -> x/a:80 open', 'y/a -> x/b:80 open']);
  });

  test('a policy that is updated takes effect in both directions', async () => {
    await world.apply('x/p', { ...a, ingress: [{}] });
    await world.expect(['x/b -> x/a:80 open']);
    await world.apply('x/p', { ...a, ingress: [] });
    await world.expect(['x/b -> x/a:80 closed', 'x/a -> x/b:80 open']);
    await world.apply('x/p', { ...a, ingress: [fromB] });
    await world.expect(['x/b -> x/a:80 open', 'y/a -> x/a:80 closed']);
  });

  test('a namespace’s label set later makes its Pods peers, and removed unmakes them', async () => {
    await world.apply('x/p', {
      ...ALL,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { late: 'yes' } } }] }],
    });
    await world.expect(['y/a -> x/a:80 closed']);
    await world.client.label('Namespace', undefined, world.namespace('y'), { late: 'yes' });
    await world.expect(['y/a -> x/a:80 open', 'x/b -> x/a:80 closed']);
    await world.client.label('Namespace', undefined, world.namespace('y'), { late: null });
    await world.expect(['y/a -> x/a:80 closed']);
  });

  test('a client Pod’s label set later makes it a peer', async () => {
    const client = world.ref('x/b');
    await world.apply('x/p', { ...a, ingress: [{ from: [{ podSelector: { matchLabels: { late: 'yes' } } }] }] });
    await world.expect(['x/b -> x/a:80 closed']);
    await world.client.label('Pod', client.namespace, client.name, { late: 'yes' });
    await world.expect(['x/b -> x/a:80 open']);
    await world.client.label('Pod', client.namespace, client.name, { late: null });
    await world.expect(['x/b -> x/a:80 closed']);
  });

  test('a target Pod’s label set later isolates it', async () => {
    const target = world.ref('x/b');
    await world.apply('x/p', { podSelector: { matchLabels: { late: 'yes' } }, policyTypes: ['Ingress'] });
    await world.expect(['x/a -> x/b:80 open']);
    await world.client.label('Pod', target.namespace, target.name, { late: 'yes' });
    await world.expect(['x/a -> x/b:80 closed']);
    await world.client.label('Pod', target.namespace, target.name, { late: null });
    await world.expect(['x/a -> x/b:80 open']);
  });
});

describe('live connections', () => {
  const target = (protocol: string) => ({ protocol, host: world.ip('x/a'), port: 80 });
  const replies = async (id: string) => (await world.flow('x/b', id, 'look')).replies;
  const advances = (id: string, from: number) =>
    until(`flow ${id} goes on`, 15, async (last) => {
      const now = await replies(id);
      last(now);
      return now > from + 2 ? true : undefined;
    });
  const rests = (id: string) =>
    until(`flow ${id} rests`, 15, async (last) => {
      const before = await replies(id);
      await new Promise((resolve) => setTimeout(resolve, 400));
      const after = await replies(id);
      last({ before, after });
      return before === after ? after : undefined;
    });

  test.each(['tcp', 'udp'])('a new policy cuts a live %s connection, and its end restores it', async (protocol) => {
    await world.flow('x/b', protocol, 'start', target(protocol));
    await advances(protocol, 0);
    await world.apply('x/shut', SHUT);
    const cut = await rests(protocol);
    await world.drop('x/shut');
    await advances(protocol, cut);
    await world.flow('x/b', protocol, 'stop');
  });

  test('an egress policy cuts a live connection as well', async () => {
    await world.flow('x/b', 'egress', 'start', target('tcp'));
    await advances('egress', 0);
    await world.apply('x/shut', { podSelector: { matchLabels: { app: 'b' } }, policyTypes: ['Egress'] });
    const cut = await rests('egress');
    await world.drop('x/shut');
    await advances('egress', cut);
    await world.flow('x/b', 'egress', 'stop');
  });

  test('a Pod that is deleted by force ends its connections: who is at the other end does not wait for it', async () => {
    const leaver = await world.addPod('x', 'leaver', { app: 'leaver' });
    const host = await world.client.ready(leaver);
    await world.flow('x/b', 'leaver', 'start', { protocol: 'tcp', host, port: 80 });
    await advances('leaver', 0);
    await world.client.remove('Pod', leaver.namespace, leaver.name);
    await until('the connection has ended', 60, async (last) => {
      const { error } = await world.flow('x/b', 'leaver', 'look');
      last(error);
      return /reset|broken pipe/i.test(error ?? '') ? true : undefined;
    });
    await world.flow('x/b', 'leaver', 'stop');
  });

  test('an allowed connection is not disturbed by twenty changes beside it', async () => {
    await world.apply('x/p', { ...a, ingress: [fromB] });
    await world.expect(['x/b -> x/a:80 open', 'y/a -> x/a:80 closed']);
    await world.flow('x/b', 'steady', 'start', target('udp'));
    await advances('steady', 0);
    const before = await replies('steady');
    for (let round = 0; round < 10; round++) {
      await world.apply('x/beside', { ...a, ingress: [{ ports: [{ port: 1000 + round }] }] });
      await world.drop('x/beside');
    }
    await advances('steady', before);
    // A datagram each 50 ms, none of them sent twice: a lost one would be a gap in the count of those sent.
    const { error } = await world.flow('x/b', 'steady', 'stop');
    expect(error === null || error.includes('temporarily unavailable')).toBe(true);
  });
});

describe('addresses', () => {
  const ghost = async (name: string, labels: Record<string, string>, status: object) => {
    const metadata = { name, namespace: world.namespace('x'), labels };
    await world.client.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      // No scheduler answers to this name: the Pod is an API object and no more.
      spec: { schedulerName: 'nobody', automountServiceAccountToken: false, containers: [{ name: 'c', image: 'c' }] },
    });
    await world.client.status(metadata.namespace, name, status);
    return () => world.client.remove('Pod', metadata.namespace, name);
  };
  const friend = { ...a, ingress: [{ from: [{ podSelector: { matchLabels: { friend: 'yes' } } }] }] };

  test.each([
    ['completed', 'Succeeded'],
    ['failed', 'Failed'],
    ['dubious', 'Running'],
  ])('a %s Pod that the API shows with another’s address gives it no rights', async (name, phase) => {
    const ip = world.ip('y/a');
    const remove = await ghost(name, { friend: 'yes' }, { phase, podIP: ip, podIPs: [{ ip }] });
    await world.apply('x/p', friend);
    await world.expect(['x/b -> x/a:80 closed']);
    await world.expect(['y/a -> x/a:80 closed']);
    await remove();
  });

  test('a Pod that is given a completed Pod’s address is given none of its rights', async () => {
    const old = await world.addPod('x', 'old', { friend: 'yes' }, true);
    const ip = await until('the Pod has completed', 30, async (last) => {
      const status = await world.status(old);
      last(status);
      return status.phase === 'Succeeded' ? status.podIP : undefined;
    });
    // host-local counts on from the last address that it gave; the node keeps that beside the kubeconfig.
    const ipam = join(dirname(kubeconfig), 'cni/networks/delos');
    await until('the address is free again', 30, () => (existsSync(join(ipam, ip)) ? undefined : true));
    const last = ip.replace(/\d+$/, (octet) => String(Number(octet) - 1));
    writeFileSync(join(ipam, 'last_reserved_ip.0'), last);
    const heir = await world.addPod('y', 'heir', { app: 'heir' });
    expect(await world.client.ready(heir)).toBe(ip);
    expect((await world.status(old)).podIP).toBe(ip);
    await world.apply('x/p', friend);
    await world.expect(['x/b -> x/a:80 closed', 'y/heir -> x/a:80 closed', 'y/heir -> y/a:80 open']);
    for (const { namespace, name } of [old, heir]) await world.client.remove('Pod', namespace, name);
  });

  test('a packet with another’s source address goes nowhere', async () => {
    const send = (token: string, source: string) =>
      world.client.order(z.boolean(), world.ref('y/a'), 'spoof', { token, source, host: world.ip('x/a'), port: 81 });
    const received = (token: string) => world.client.order(z.number(), world.ref('x/a'), 'received', { token });
    await world.expect(['y/a -> x/a:udp/81 open']);
    await send('own', world.ip('y/a'));
    await until('its own source comes', 10, async () => ((await received('own')) > 0 ? true : undefined));
    for (const [token, source] of [
      ['neighbour', world.ip('x/b')],
      ['node', world.facts.node],
      ['stranger', '203.0.113.7'],
    ] as const) {
      await send(token, source);
    }
    await send('after', world.ip('y/a'));
    await until('the packet sent after them comes', 10, async () => ((await received('after')) > 0 ? true : undefined));
    expect([await received('neighbour'), await received('node'), await received('stranger')]).toEqual([0, 0, 0]);
  });

  test('a Pod is never open before its policy, and an unprotected one is found at once', async () => {
    const hosts = await world.nextAddresses(40);
    await world.apply('x/shut', SHUT);
    await world.hammer('y/a', 'new', 'start', { hosts, port: 80 });
    const made = await Promise.all([
      ...['n1', 'n2', 'n3'].map((name) => world.addPod('x', name, { app: 'new' })),
      world.addPod('z', 'open', { app: 'new' }),
    ]);
    const ips = await Promise.all(made.map((pod) => world.client.ready(pod)));
    const open = ips.at(-1) ?? '';
    await until('the unprotected Pod is hit', 20, async () =>
      (await world.hammer('y/a', 'new', 'look')).hits.includes(open) ? true : undefined,
    );
    const { hits } = await world.hammer('y/a', 'new', 'stop');
    await Promise.all(made.map(({ namespace, name }) => world.client.remove('Pod', namespace, name)));
    expect(hits.filter((hit) => ips.slice(0, -1).includes(hit))).toEqual([]);
  });
});

describe('the agent', () => {
  test('its rules stay while it is dead, and it comes back by itself', async () => {
    await world.apply('x/seal', SEALED);
    await world.expect(['x/b -> x/a:80 closed', 'x/a -> api closed']);
    const { pid } = await policyAgent(world.ip('x/a'));
    for (let kill = 0; kill < 3; kill++) process.kill((await policyAgent(world.ip('x/a'))).pid, 'SIGKILL');
    await world.expect(['x/b -> x/a:80 closed', 'x/a -> api closed', 'y/a -> y/b:80 open']);
    await world.apply('x/seal', { ...SEALED, ingress: [{}], egress: [{}] });
    await world.expect(['x/b -> x/a:80 open', 'x/a -> api open']);
    expect((await policyAgent(world.ip('x/a'))).pid).not.toBe(pid);
  });

  test('while it does not answer, no Pod starts', async () => {
    const { pid } = await policyAgent(world.ip('x/a'));
    process.kill(pid, 'SIGSTOP');
    try {
      const pod = await world.addPod('z', 'waits', { app: 'waits' });
      await until('the gate is asked', 20, () => gateWaits(world.ip('x/a')));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect((await world.status(pod)).phase).toBe('Pending');
      process.kill(pid, 'SIGCONT');
      await world.client.ready(pod);
      await world.client.remove('Pod', pod.namespace, pod.name);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('a table that somebody removes comes back', async () => {
    await world.apply('x/shut', SHUT);
    await world.expect(['x/b -> x/a:80 closed']);
    await (await policyAgent(world.ip('x/a'))).nft(['delete', 'table', 'inet', 'delos_netpol']);
    await world.expect(['x/b -> x/a:80 open']);
    await world.expect(['x/b -> x/a:80 closed'], 30);
  });
});
