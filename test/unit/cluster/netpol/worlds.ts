import fc from 'fast-check';
import type { ApiNamespace, ApiPeer, ApiPod, ApiPolicy, ApiPort, ApiSelector, World } from './judge.ts';

/** Small alphabets, so that selectors, names and ports meet often. */
const labels = fc.record({ app: fc.constantFrom('a', 'b'), tier: fc.constantFrom('x', 'y') }, { requiredKeys: [] });

const expression = fc.oneof(
  fc.record({
    key: fc.constantFrom('app', 'tier', 'none'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.array(fc.constantFrom('a', 'b', 'x'), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ key: fc.constantFrom('app', 'tier'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);

const selector: fc.Arbitrary<ApiSelector> = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: labels }),
  fc.record({ matchLabels: labels, matchExpressions: fc.array(expression, { maxLength: 2 }) }),
);

const block = fc.constantFrom(
  { cidr: '0.0.0.0/0' },
  { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '192.0.2.7/32'] },
  { cidr: '10.202.0.0/29' },
  { cidr: '10.202.0.9/24', except: ['10.202.0.4/30'] },
  { cidr: '192.0.2.0/24', except: ['192.0.2.0/29', '192.0.2.9/32'] },
  { cidr: '10.201.0.2/32' },
  { cidr: '2001:db8::/32' },
);

const peer: fc.Arbitrary<ApiPeer> = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({ ipBlock: block }),
);

export const PORTS = [80, 81, 443, 8080] as const;
const protocol = fc.constantFrom('TCP', 'UDP', 'SCTP');
const port: fc.Arbitrary<ApiPort> = fc.oneof(
  fc.record({ protocol, port: fc.constantFrom(...PORTS) }, { requiredKeys: [] }),
  fc.record({ protocol, port: fc.constant(80), endPort: fc.constantFrom(80, 81, 443) }, { requiredKeys: ['port'] }),
  fc.record({ protocol, port: fc.constantFrom('web', 'dns') }, { requiredKeys: ['port'] }),
);

const some = <T>(what: fc.Arbitrary<T>) => fc.option(fc.array(what, { maxLength: 2 }), { nil: undefined });
const present = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
const ingress = fc.record({ from: some(peer), ports: some(port) }).map(present);
const egress = fc.record({ to: some(peer), ports: some(port) }).map(present);

const spec = fc
  .record({
    podSelector: selector,
    policyTypes: fc.constantFrom(undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: some(ingress),
    egress: some(egress),
  })
  .map(present) as fc.Arbitrary<ApiPolicy['spec']>;

const NAMESPACES = ['red', 'green', 'blue'] as const;
const inNamespace = fc.constantFrom(...NAMESPACES);
const containerPorts = fc.subarray([
  { name: 'web', protocol: 'TCP', containerPort: 8080 },
  { name: 'web', protocol: 'UDP', containerPort: 81 },
  { name: 'dns', protocol: 'UDP', containerPort: 443 },
]);

const namespaces: fc.Arbitrary<readonly ApiNamespace[]> = fc
  .tuple(labels, labels, labels)
  .map((found) => NAMESPACES.map((name, index) => ({ metadata: { name, labels: found[index] ?? {} } })));

const pods: fc.Arbitrary<readonly ApiPod[]> = fc
  .array(fc.record({ namespace: inNamespace, labels, ports: containerPorts }), { minLength: 1, maxLength: 6 })
  .map((found) =>
    found.map(({ namespace, labels, ports }, index) => ({
      metadata: { namespace, name: `p${index}`, uid: `u${index}`, labels },
      spec: { containers: [{ ports }] },
      status: { phase: 'Running', podIP: `10.202.0.${index + 2}` },
    })),
  );

const policies: fc.Arbitrary<readonly ApiPolicy[]> = fc
  .array(fc.record({ namespace: inNamespace, spec }), { maxLength: 5 })
  .map((found) => found.map(({ namespace, spec }, index) => ({ metadata: { namespace, name: `n${index}` }, spec })));

export const world: fc.Arbitrary<World> = fc.record({ namespaces, pods, policies });
/** Two states of one cluster. */
export const change = fc.tuple(world, world);
/** No Pod: two hosts outside, and the node itself. */
export const NODE = '10.201.0.2';
export const OUTSIDE = ['192.0.2.7', '198.51.100.1'] as const;
