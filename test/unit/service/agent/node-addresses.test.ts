import { createServer } from 'node:http';
import { type AddressInfo, BlockList } from 'node:net';
import { text } from 'node:stream/consumers';
import type { JobPodSpec } from '@delos/core';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { nodeShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { PRIVATE_CIDRS } from '../../../../runtime/service/src/agent/namespaces/manifests.ts';
import { Namespaces } from '../../../../runtime/service/src/agent/namespaces/namespaces.ts';
import {
  closedNetworks,
  dnsServers,
  NODE_NETWORKS_LIMIT,
} from '../../../../runtime/service/src/agent/node-addresses.ts';
import { plainClient } from '../../../support/kube/plain-client.ts';

const nodeWith = (...addresses: readonly string[]) =>
  nodeShape.parse({
    metadata: { name: 'n', uid: 'u' },
    status: { addresses: addresses.map((address) => ({ type: 'ExternalIP', address })) },
  });

describe('networks that are closed to jobs', () => {
  test.each([
    ['a private address of a node is closed already', ['10.1.2.3'], []],
    ['a public address of a node is closed by itself', ['203.0.113.7'], ['203.0.113.7/32']],
    ['an address above 127.255.255.255 is closed as it is written', ['250.1.2.255'], ['250.1.2.255/32']],
    ['a host name and an IPv6 address are no IPv4 networks', ['node.example.com', '2001:db8::1'], []],
    ['an address that two nodes tell is closed once', ['203.0.113.7', '203.0.113.7'], ['203.0.113.7/32']],
  ])('%s', (_name, addresses, expected) => {
    const nodes = addresses.map((address) => nodeWith(address));
    expect(closedNetworks(PRIVATE_CIDRS, nodes)).toEqual([...PRIVATE_CIDRS, ...expected]);
  });

  test('every address of every node is closed, and there are never too many networks', () => {
    const anyAddresses = fc.oneof(
      fc.array(fc.ipV4(), { maxLength: 20 }),
      fc.array(fc.ipV4(), { minLength: NODE_NETWORKS_LIMIT, maxLength: 3000, size: 'max' }),
    );
    fc.assert(
      fc.property(anyAddresses, (addresses) => {
        const closed = closedNetworks(PRIVATE_CIDRS, [nodeWith(...addresses)]);
        expect(closed.length).toBeLessThanOrEqual(PRIVATE_CIDRS.length + NODE_NETWORKS_LIMIT);
        const list = new BlockList();
        for (const cidr of closed) {
          const [network = '', bits] = cidr.split('/');
          list.addSubnet(network, Number(bits), 'ipv4');
        }
        for (const address of addresses) expect(list.check(address, 'ipv4'), address).toBe(true);
        // While there are few, nothing beside the nodes is closed.
        if (addresses.length <= NODE_NETWORKS_LIMIT) {
          for (const cidr of closed.slice(PRIVATE_CIDRS.length)) expect(cidr).toMatch(/\/32$/);
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ['nameserver 169.254.20.10\n', ['169.254.20.10']],
    ['search a b\nnameserver 10.96.0.10\noptions ndots:5\n', ['10.96.0.10']],
    ['nameserver 127.0.0.53\nnameserver ::1\n', []],
    ['', []],
  ])('of the resolv.conf %j, Pods can reach the resolvers %j', (resolvConf, expected) => {
    expect(dnsServers(resolvConf)).toEqual(expected);
  });
});

const policyBody = z.object({
  spec: z.object({
    egress: z.array(
      z.looseObject({
        to: z.array(z.looseObject({ ipBlock: z.object({ except: z.array(z.string()).default([]) }).optional() })),
      }),
    ),
  }),
});

/** An API server that takes whatever is written and remembers it. */
async function recorder() {
  const written: { readonly path: string; readonly body: unknown }[] = [];
  let answer = 200;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      written.push({ path: (request.url ?? '').split('?')[0] ?? '', body: JSON.parse(body) });
      response.writeHead(answer, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = plainClient(port);
  stops.push(() => {
    client.close();
    server.close();
  });
  const outside = '/apis/networking.k8s.io/v1/namespaces/job-a/networkpolicies/egress-outside';
  return {
    client,
    written,
    answers(status: number): void {
      answer = status;
    },
    /** What each writing of the namespace's outside policy excepts. */
    excepted: (): readonly (readonly string[])[] =>
      written
        .filter(({ path }) => path === outside)
        .map(({ body }) =>
          policyBody.parse(body).spec.egress.flatMap(({ to }) => to.flatMap((peer) => peer.ipBlock?.except ?? [])),
        ),
  };
}
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});
const SPEC = { namespace: 'job-a', org: 'o', project: 'p', security: 'baseline', httpPort: null } as JobPodSpec;
const SETTINGS = { platformNamespace: 'delos', dnsAddresses: [] };

describe('the policies of a namespace', () => {
  test('are not written before all nodes are known, and then close their addresses', async () => {
    const api = await recorder();
    const namespaces = new Namespaces(api.client, SETTINGS);
    const ensured = namespaces.ensure(SPEC);
    expect(await namespaces.refresh()).toEqual([]);
    expect(api.written).toEqual([]);
    namespaces.close(['203.0.113.7/32']);
    await ensured;
    expect(api.excepted()).toEqual([['203.0.113.7/32']]);
  });

  test('are written again when a node comes with another address, and left alone while nothing changes', async () => {
    const api = await recorder();
    const namespaces = new Namespaces(api.client, SETTINGS);
    namespaces.close(['203.0.113.7/32']);
    await namespaces.ensure(SPEC);
    await namespaces.refresh();
    namespaces.close(['203.0.113.7/32']);
    await namespaces.refresh();
    namespaces.close(['203.0.113.7/32', '203.0.113.8/32']);
    await namespaces.refresh();
    expect(api.excepted()).toEqual([['203.0.113.7/32'], ['203.0.113.7/32', '203.0.113.8/32']]);
  });

  test('of an agent before this one are written once more, for namespaces that have jobs', async () => {
    const api = await recorder();
    const namespaces = new Namespaces(api.client, SETTINGS);
    namespaces.found('job-a');
    namespaces.close(['203.0.113.7/32']);
    await namespaces.refresh();
    namespaces.found('job-a');
    await namespaces.refresh();
    expect(api.excepted()).toEqual([['203.0.113.7/32']]);
  });

  test('come with the authorities that jobs trust, which are written again when they change', async () => {
    const api = await recorder();
    const namespaces = new Namespaces(api.client, SETTINGS);
    namespaces.close([]);
    namespaces.trust('first');
    await namespaces.ensure(SPEC);
    const bundles = () => api.written.filter(({ path }) => path.endsWith('/configmaps/delos-authorities'));
    expect(bundles()).toHaveLength(1);
    namespaces.trust('first');
    await namespaces.refresh();
    expect(bundles()).toHaveLength(1);
    namespaces.trust('second');
    await namespaces.refresh();
    expect(bundles().map(({ body }) => body)).toMatchObject([
      { data: { 'ca.pem': 'first' } },
      { data: { 'ca.pem': 'second' } },
    ]);
  });

  test('that could not be written are due again; those of a namespace that is gone are not', async () => {
    const api = await recorder();
    const namespaces = new Namespaces(api.client, SETTINGS);
    namespaces.found('job-a');
    namespaces.close(['203.0.113.7/32']);
    api.answers(500);
    expect(await namespaces.refresh()).toMatchObject([{ namespace: 'job-a' }]);
    api.answers(404);
    expect(await namespaces.refresh()).toEqual([]);
    const asked = api.written.length;
    expect(await namespaces.refresh()).toEqual([]);
    expect(api.written.length).toBe(asked);
  });
});
