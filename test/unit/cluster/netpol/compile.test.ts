import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressPods } from '../../../../cluster/src/netpol/addresses.ts';
import { closedTable, compile } from '../../../../cluster/src/netpol/compile.ts';
import { parsePod, sealing } from '../../../../cluster/src/netpol/parse.ts';
import { renderChange, renderTable } from '../../../../cluster/src/netpol/table.ts';
import { allowed, type Flow, type World } from './judge.ts';
import { must, NftSimulator, type Packet } from './simulator.ts';
import { node, second, table } from './table.ts';
import { change, NODE, OUTSIDE, PORTS, world } from './worlds.ts';

function loaded(from: World): NftSimulator {
  const nft = new NftSimulator();
  nft.run(renderTable(table(from)));
  return nft;
}

function packet({ from, to, protocol, port }: Flow): Packet {
  return {
    hook: to === NODE ? 'input' : 'forward',
    iif: from.startsWith('10.202.') ? 'veth1a2b' : 'eth0',
    saddr: from,
    daddr: to,
    proto: protocol === 'TCP' ? 'tcp' : protocol === 'UDP' ? 'udp' : 'sctp',
    dport: port,
    reply: false,
  };
}

function flows(of: World): readonly Flow[] {
  const pods = of.pods.map((pod) => pod.status.podIP);
  const ends = [...pods.flatMap((from) => [...pods, ...OUTSIDE, NODE].map((to) => ({ from, to })))];
  const incoming = OUTSIDE.flatMap((from) => pods.map((to) => ({ from, to })));
  const protocols = ['TCP', 'UDP', 'SCTP'] as const;
  return [...ends, ...incoming].flatMap((pair) =>
    protocols.flatMap((protocol) => PORTS.map((port) => ({ ...pair, protocol, port }))),
  );
}

test('the rules let pass exactly what the policies allow', () => {
  fc.assert(
    fc.property(world, (of) => {
      const nft = loaded(of);
      for (const flow of flows(of)) expect([flow, nft.passes(packet(flow))]).toEqual([flow, allowed(of, flow)]);
    }),
    { numRuns: 300 },
  );
});

test('of two nodes each judges its own Pods, and together they let pass exactly what the policies allow', () => {
  const SECOND = '10.204.0.';
  const split = world.chain((of) =>
    fc.array(fc.boolean(), { minLength: of.pods.length, maxLength: of.pods.length }).map((elsewhere) => ({
      ...of,
      pods: of.pods.map((pod, index) =>
        elsewhere[index] === true
          ? { ...pod, status: { ...pod.status, podIP: pod.status.podIP.replace('10.202.0.', SECOND) } }
          : pod,
      ),
    })),
  );
  fc.assert(
    fc.property(split, (of) => {
      const kernels = [node, second].map((each) => {
        const nft = new NftSimulator();
        nft.run(renderTable(table(of, each)));
        return nft;
      });
      const at = (address: string) => (address.startsWith(SECOND) ? 1 : address.startsWith('10.202.') ? 0 : undefined);
      for (const flow of flows(of)) {
        if (flow.to === NODE) continue;
        // From its own node it comes by its Pod's interface, to another by the node's link.
        const ends = new Set([at(flow.from), at(flow.to)]);
        const passes = [0, 1].every((index) => {
          if (!ends.has(index)) return true;
          const iif = at(flow.from) === index ? 'veth1a2b' : 'eth0';
          return kernels[index]?.passes({ ...packet(flow), iif }) === true;
        });
        expect([flow, passes]).toEqual([flow, allowed(of, flow)]);
      }
    }),
    { numRuns: 100 },
  );
});

test('a change applied to one state gives the very table of the other', () => {
  fc.assert(
    fc.property(change, ([from, to]) => {
      const nft = loaded(from);
      const script = renderChange(table(from), table(to));
      if (script === undefined) throw new Error('base chains never change');
      nft.run(script);
      expect(nft.dump()).toEqual(loaded(to).dump());
    }),
    { numRuns: 300 },
  );
});

test('no change is no transaction', () => {
  fc.assert(fc.property(world, (of) => renderChange(table(of), table(of)) === ''));
});

test('the order in which the API lists objects does not matter', () => {
  fc.assert(
    fc.property(world, (of) => {
      const turned = {
        namespaces: of.namespaces.toReversed(),
        pods: of.pods.toReversed(),
        policies: of.policies.toReversed(),
      };
      expect(renderChange(table(of), table(turned))).toBe('');
    }),
  );
});

test('no rule holds an anonymous set', () => {
  fc.assert(
    fc.property(world, (of) =>
      [...table(of).chains.values()].every(({ rules }) => rules.every((r) => !r.includes('{'))),
    ),
  );
});

test('replies of an established connection always pass', () => {
  const of: World = {
    namespaces: [{ metadata: { name: 'red', labels: {} } }],
    pods: [pod('a', 2), pod('b', 3)],
    policies: [
      {
        metadata: { namespace: 'red', name: 'shut' },
        spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
      },
    ],
  };
  const nft = loaded(of);
  const flow = packet({ from: '10.202.0.2', to: '10.202.0.3', protocol: 'TCP', port: 80 });
  expect(nft.passes(flow)).toBe(false);
  expect(nft.passes({ ...flow, reply: true })).toBe(true);
});

test('a Pod of another node that leaves: what was begun goes on as before, and to an isolated Pod nothing new begins', () => {
  const GONE = '10.204.0.2';
  fc.assert(
    fc.property(world, fc.nat(), (of, pick) => {
      const at = pick % of.pods.length;
      const pods = of.pods.map((pod, index) =>
        index === at ? { ...pod, status: { ...pod.status, podIP: GONE } } : pod,
      );
      const left = pods.filter((_, index) => index === at);
      const before = loaded({ ...of, pods });
      const nft = new NftSimulator();
      nft.run(renderTable(table({ ...of, pods: pods.filter((_, index) => index !== at) }, node, left)));
      const maps = { in: must(nft.state.maps.get('ing'), 'ing'), out: must(nft.state.maps.get('eg'), 'eg') };
      for (const flow of flows({ ...of, pods })) {
        const incoming = flow.from === GONE;
        if (!(incoming ? flow.to : flow.from).startsWith('10.202.') || !(incoming || flow.to === GONE)) continue;
        const first = { ...packet(flow), iif: incoming ? 'eth0' : 'veth1a2b' };
        expect([flow, nft.passes({ ...first, established: true })]).toEqual([flow, before.passes(first)]);
        expect([flow, nft.passes(first)]).toEqual([flow, !(incoming ? maps.in.has(flow.to) : maps.out.has(flow.from))]);
      }
    }),
    { numRuns: 200 },
  );
});

test('an address of the Pod range that is no known Pod is shut, in both directions and towards the node', () => {
  const nft = loaded({ namespaces: [], pods: [pod('a', 2)], policies: [] });
  const probe = (from: string, to: string) => nft.passes(packet({ from, to, protocol: 'TCP', port: 80 }));
  expect(probe('10.202.0.2', '198.51.100.1')).toBe(true);
  expect(probe('10.202.0.9', '10.202.0.2')).toBe(false);
  expect(probe('10.202.0.2', '10.202.0.9')).toBe(false);
  expect(probe('198.51.100.1', '10.202.0.9')).toBe(false);
  expect(probe('10.202.0.9', NODE)).toBe(false);
});

test('the closed table knows nobody', () => {
  const nft = new NftSimulator();
  nft.run(renderTable(closedTable(node)));
  expect(nft.passes(packet({ from: '10.202.0.2', to: '198.51.100.1', protocol: 'TCP', port: 80 }))).toBe(false);
});

test('a policy that cannot be read seals its namespace', () => {
  const sealed = compile(
    {
      namespaces: [],
      pods: addressPods([parsePod(pod('a', 2))], [], new Set()),
      leaving: [],
      policies: [sealing('red', 'odd')],
    },
    node,
  );
  const nft = new NftSimulator();
  nft.run(renderTable(sealed));
  expect(nft.passes(packet({ from: '198.51.100.1', to: '10.202.0.2', protocol: 'TCP', port: 80 }))).toBe(false);
});

function pod(name: string, last: number): World['pods'][number] {
  return {
    metadata: { namespace: 'red', name, uid: `u-${name}`, labels: {} },
    spec: { containers: [] },
    status: { phase: 'Running', podIP: `10.202.0.${last}` },
  };
}
