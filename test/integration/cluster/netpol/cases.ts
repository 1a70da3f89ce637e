import type { Expectation, Facts } from './world.ts';

/** Policies by `NAMESPACE/NAME`, and what must hold while they stand, and nothing else does. */
export interface Case {
  readonly rule: string;
  readonly policies: Policies | ((facts: Facts) => Policies);
  readonly expect: readonly Expectation[];
}
type Policies = Readonly<Record<string, object>>;

const app = (value: string) => ({ podSelector: { matchLabels: { app: value } } });
const team = (value: string) => ({ namespaceSelector: { matchLabels: { team: value } } });
const every = { podSelector: {} };
const all = (...rules: object[]) => ({ 'x/p': { ...every, policyTypes: ['Ingress'], ingress: rules } });
/** Ingress of x/a alone. */
const into = (...rules: object[]) => ({ 'x/p': { ...app('a'), policyTypes: ['Ingress'], ingress: rules } });
/** Egress of x/a alone. */
const out = (...rules: object[]) => ({ 'x/p': { ...app('a'), policyTypes: ['Egress'], egress: rules } });
const block = (cidr: string, ...except: string[]) => ({ ipBlock: { cidr, ...(except.length > 0 ? { except } : {}) } });
const ip = (facts: Facts, pod: string) => facts.pods[pod] ?? '';

export const INGRESS: readonly Case[] = [
  {
    rule: 'without policies everything is open, TCP and UDP, Pods, Services, node and outside',
    policies: {},
    expect: [
      'x/b -> x/a:80 open',
      'y/a -> x/a:udp/80 open',
      'x/a -> y/b:9011 open',
      'y/b -> svc open',
      'x/a -> node open',
      'x/a -> api open',
      'x/a -> world open',
      'outside -> nodeport open',
    ],
  },
  {
    rule: 'deny-all ingress closes a namespace’s Pods and nothing else',
    policies: all(),
    expect: [
      'x/b -> x/a:80 closed',
      'y/a -> x/b:udp/80 closed',
      'outside -> nodeport closed',
      'x/a -> y/a:80 open',
      'y/a -> y/b:80 open',
      'x/a -> api open',
    ],
  },
  {
    rule: 'deny-all in both directions closes all',
    policies: { 'x/p': { ...every, policyTypes: ['Ingress', 'Egress'] } },
    expect: [
      'x/b -> x/a:80 closed',
      'x/a -> y/a:80 closed',
      'y/a -> x/a:80 closed',
      'x/a -> y/a:udp/80 closed',
      'y/a -> y/b:80 open',
    ],
  },
  {
    rule: 'a Pod selector as peer means the policy’s own namespace',
    policies: into({ from: [app('b')] }),
    expect: ['x/b -> x/a:80 open', 'y/b -> x/a:80 closed', 'y/a -> x/a:80 closed', 'y/b -> x/b:80 open'],
  },
  {
    rule: 'an empty Pod selector means every Pod of the own namespace',
    policies: into({ from: [every] }),
    expect: ['x/b -> x/a:80 open', 'y/b -> x/a:80 closed', 'outside -> nodeport closed'],
  },
  {
    rule: 'an empty namespace selector means every Pod, and nobody outside',
    policies: into({ from: [{ namespaceSelector: {} }] }),
    expect: ['x/b -> x/a:80 open', 'y/b -> x/a:80 open', 'outside -> nodeport closed'],
  },
  {
    rule: 'a namespace by its label',
    policies: into({ from: [team('y')] }),
    expect: ['y/a -> x/a:80 open', 'y/b -> x/a:80 open', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'a namespace by the label that every namespace has',
    policies: into({ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'netpol-y' } } }] }),
    expect: ['y/a -> x/a:80 open', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'a namespace by expressions',
    policies: into({
      from: [
        {
          namespaceSelector: {
            matchExpressions: [
              { key: 'team', operator: 'NotIn', values: ['x', 'z'] },
              { key: 'team', operator: 'Exists' },
            ],
          },
        },
      ],
    }),
    expect: ['y/a -> x/a:80 open', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'Pods by expressions',
    policies: into({
      from: [
        {
          namespaceSelector: {},
          podSelector: {
            matchExpressions: [
              { key: 'app', operator: 'In', values: ['b', 'c'] },
              { key: 'gone', operator: 'DoesNotExist' },
            ],
          },
        },
      ],
    }),
    expect: ['x/b -> x/a:80 open', 'y/b -> x/a:80 open', 'y/a -> x/a:80 closed'],
  },
  {
    rule: 'two peers are one or the other',
    policies: into({ from: [team('y'), app('b')] }),
    expect: ['x/b -> x/a:80 open', 'y/a -> x/a:80 open', 'outside -> nodeport closed'],
  },
  {
    rule: 'two selectors in one peer are both at once',
    policies: into({ from: [{ ...team('y'), ...app('b') }] }),
    expect: ['y/b -> x/a:80 open', 'y/a -> x/a:80 closed', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'targets by expressions',
    policies: { 'x/p': { podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a'] }] } } },
    expect: ['y/a -> x/b:80 closed', 'y/a -> x/a:80 open'],
  },
  {
    rule: 'one port',
    policies: into({ ports: [{ port: 80 }] }),
    expect: ['x/b -> x/a:80 open', 'y/a -> x/a:80 open', 'x/b -> x/a:81 closed', 'x/b -> x/a:udp/80 closed'],
  },
  {
    rule: 'two ports',
    policies: into({ ports: [{ port: 80 }, { port: 8080 }] }),
    expect: ['x/b -> x/a:80 open', 'x/b -> x/a:8080 open', 'x/b -> x/a:81 closed'],
  },
  {
    rule: 'a range holds both its ends and nothing beyond',
    policies: into({ ports: [{ port: 9000, endPort: 9010 }] }),
    expect: [
      'x/b -> x/a:9000 open',
      'x/b -> x/a:9005 open',
      'x/b -> x/a:9010 open',
      'x/b -> x/a:9011 closed',
      'x/b -> x/a:8080 closed',
    ],
  },
  {
    rule: 'a named port is the number that the target declares',
    policies: into({ ports: [{ port: 'web' }] }),
    expect: ['x/b -> x/a:8080 open', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'a named port of a peer',
    policies: into({ from: [team('y')], ports: [{ port: 'web' }] }),
    expect: ['y/b -> x/a:8080 open', 'y/b -> x/a:81 closed', 'x/b -> x/a:8080 closed'],
  },
  {
    rule: 'a port’s name holds for its own protocol',
    policies: into({
      ports: [
        { port: 'talk', protocol: 'UDP' },
        { port: 'web', protocol: 'UDP' },
      ],
    }),
    expect: ['x/b -> x/a:udp/8081 open', 'x/b -> x/a:udp/80 closed', 'x/b -> x/a:8080 closed'],
  },
  {
    rule: 'a UDP port is no TCP port',
    policies: into({ ports: [{ port: 80, protocol: 'UDP' }] }),
    expect: ['x/b -> x/a:udp/80 open', 'x/b -> x/a:80 closed', 'x/b -> x/a:udp/81 closed'],
  },
  {
    rule: 'a protocol without port is all its ports',
    policies: into({ ports: [{ protocol: 'UDP' }] }),
    expect: ['x/b -> x/a:udp/80 open', 'x/b -> x/a:udp/81 open', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'an SCTP rule isolates, and opens no TCP',
    policies: into({ ports: [{ port: 80, protocol: 'SCTP' }] }),
    expect: ['x/b -> x/a:80 closed', 'x/b -> x/a:udp/80 closed'],
  },
  {
    rule: 'an empty rule allows everybody everything',
    policies: into({}),
    expect: ['x/b -> x/a:80 open', 'y/b -> x/a:udp/81 open', 'outside -> nodeport open'],
  },
  {
    rule: 'policies on one Pod add up',
    policies: {
      'x/p': { ...app('a'), ingress: [{ from: [app('b')], ports: [{ port: 80 }] }] },
      'x/q': { ...every, ingress: [{ from: [team('y')], ports: [{ port: 81 }] }] },
    },
    expect: [
      'x/b -> x/a:80 open',
      'y/a -> x/a:81 open',
      'x/b -> x/a:81 closed',
      'y/a -> x/a:80 closed',
      'x/a -> x/b:80 closed',
    ],
  },
  {
    rule: 'an allow-all beside a deny-all wins',
    policies: { 'x/p': { ...every, policyTypes: ['Ingress'] }, 'x/q': { ...app('a'), ingress: [{}] } },
    expect: ['x/b -> x/a:80 open', 'y/a -> x/b:80 closed'],
  },
  {
    rule: 'an address block',
    policies: (facts) => into({ from: [block(`${ip(facts, 'y/a')}/32`)] }),
    expect: ['y/a -> x/a:80 open', 'y/b -> x/a:80 closed', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'an address block with exceptions',
    policies: (facts) => into({ from: [block('10.0.0.0/8', `${ip(facts, 'y/a')}/32`, `${ip(facts, 'x/b')}/32`)] }),
    expect: ['y/b -> x/a:80 open', 'y/a -> x/a:80 closed', 'x/b -> x/a:80 closed'],
  },
  {
    rule: 'an exception forbids nothing that another rule allows',
    policies: (facts) =>
      into({ from: [block('0.0.0.0/0', `${ip(facts, 'y/a')}/32`)] }, { from: [{ ...team('y'), ...app('a') }] }),
    expect: ['y/a -> x/a:80 open', 'x/b -> x/a:80 open'],
  },
  {
    rule: 'an address block and a port in one rule are both at once',
    policies: (facts) => into({ from: [block(`${ip(facts, 'y/a')}/32`)], ports: [{ port: 81 }] }),
    expect: ['y/a -> x/a:81 open', 'y/a -> x/a:80 closed', 'y/b -> x/a:81 closed'],
  },
];

export const EGRESS: readonly Case[] = [
  {
    rule: 'deny-all egress shuts a Pod in, and leaves it reachable',
    policies: out(),
    expect: [
      'x/a -> x/b:80 closed',
      'x/a -> y/a:udp/80 closed',
      'x/a -> world closed',
      'y/a -> x/a:80 open',
      'x/b -> y/a:80 open',
    ],
  },
  {
    rule: 'to Pods by label',
    policies: out({ to: [app('b')] }),
    expect: ['x/a -> x/b:80 open', 'x/a -> y/b:80 closed', 'x/a -> y/a:80 closed'],
  },
  {
    rule: 'to a namespace',
    policies: out({ to: [team('y')] }),
    expect: ['x/a -> y/a:80 open', 'x/a -> y/b:udp/80 open', 'x/a -> x/b:80 closed'],
  },
  {
    rule: 'to one Pod of another namespace',
    policies: out({ to: [{ ...team('y'), ...app('a') }] }),
    expect: ['x/a -> y/a:80 open', 'x/a -> y/b:80 closed', 'x/a -> x/b:80 closed'],
  },
  {
    rule: 'to one port',
    policies: out({ ports: [{ port: 81 }] }),
    expect: ['x/a -> y/a:81 open', 'x/a -> x/b:81 open', 'x/a -> y/a:80 closed'],
  },
  {
    rule: 'to a range',
    policies: out({ ports: [{ port: 9000, endPort: 9005 }] }),
    expect: ['x/a -> y/a:9000 open', 'x/a -> y/a:9005 open', 'x/a -> y/a:9010 closed'],
  },
  {
    rule: 'to a port by the name that the far Pod gives it',
    policies: out({ to: [team('y')], ports: [{ port: 'web' }] }),
    expect: ['x/a -> y/a:8080 open', 'x/a -> y/a:80 closed', 'x/a -> x/b:8080 closed'],
  },
  {
    rule: 'to UDP alone, as for names',
    policies: out({ ports: [{ port: 80, protocol: 'UDP' }] }),
    expect: ['x/a -> y/a:udp/80 open', 'x/a -> y/a:80 closed'],
  },
  {
    rule: 'to an address block',
    policies: (facts) => out({ to: [block(`${ip(facts, 'y/a')}/32`)] }),
    expect: ['x/a -> y/a:80 open', 'x/a -> y/b:80 closed', 'x/a -> world closed'],
  },
  {
    rule: 'to everywhere but one address',
    policies: (facts) => out({ to: [block('0.0.0.0/0', `${ip(facts, 'y/a')}/32`)] }),
    expect: ['x/a -> y/b:80 open', 'x/a -> world open', 'x/a -> y/a:80 closed'],
  },
  {
    rule: 'to the outside by its address',
    policies: (facts) => out({ to: [block(`${facts.outside.address}/32`)] }),
    expect: ['x/a -> world open', 'x/a -> y/a:80 closed'],
  },
  {
    rule: 'both ends must agree',
    policies: { ...out({ to: [team('y')] }), 'y/p': { ...app('b'), ingress: [{ from: [team('y')] }] } },
    expect: ['x/a -> y/a:80 open', 'x/a -> y/b:80 closed', 'x/b -> y/b:80 closed', 'y/a -> y/b:80 open'],
  },
  {
    rule: 'ingress and egress of one policy are apart',
    policies: {
      'x/p': {
        ...app('a'),
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [app('b')] }],
        egress: [{ to: [team('y')] }],
      },
    },
    expect: ['x/b -> x/a:80 open', 'x/a -> x/b:80 closed', 'x/a -> y/a:80 open', 'y/a -> x/a:80 closed'],
  },
  {
    rule: 'answers to who may come in are not egress',
    policies: { 'x/p': { ...every, policyTypes: ['Ingress', 'Egress'], ingress: [{}] } },
    expect: ['y/a -> x/a:80 open', 'y/a -> x/a:udp/80 open', 'outside -> nodeport open', 'x/a -> y/a:80 closed'],
  },
];

export const SERVICES: readonly Case[] = [
  {
    rule: 'a Service is judged by the Pod behind it',
    policies: into({ from: [app('b')] }),
    expect: ['x/b -> svc open', 'y/a -> svc closed'],
  },
  {
    rule: 'a Service is judged by the port of the Pod, not its own',
    policies: into({ ports: [{ port: 80 }] }),
    expect: ['y/a -> svc closed', 'y/a -> x/a:80 open'],
  },
  {
    rule: 'a Service’s target port opens the Service',
    policies: into({ ports: [{ port: 8080 }] }),
    expect: ['y/a -> svc open', 'y/a -> x/a:80 closed'],
  },
  {
    rule: 'egress to a Service is egress to its Pods',
    policies: {
      'y/p': {
        ...every,
        policyTypes: ['Egress'],
        egress: [{ to: [{ ...team('x'), ...app('a') }], ports: [{ port: 8080 }] }],
      },
    },
    expect: ['y/a -> svc open', 'y/a -> x/b:8080 closed'],
  },
  {
    rule: 'through a node port the client’s own address counts',
    policies: (facts) => into({ from: [block(`${facts.machine}/32`)] }),
    expect: ['outside -> nodeport open', 'y/a -> x/a:80 closed'],
  },
  {
    rule: 'through a node port an exception counts',
    policies: (facts) => into({ from: [block('0.0.0.0/0', `${facts.machine}/32`)] }),
    expect: ['outside -> nodeport closed', 'y/a -> x/a:80 open'],
  },
  {
    rule: 'a Pod reaches itself, also through its own Service, whatever the policies say',
    policies: { 'x/p': { ...every, policyTypes: ['Ingress', 'Egress'] } },
    expect: ['x/a -> x/a:80 open', 'x/a -> svc open', 'x/b -> svc closed'],
  },
  {
    rule: 'a Pod with isolated egress reaches neither the node’s ports nor the API server',
    policies: out({ to: [every, { namespaceSelector: {} }] }),
    expect: ['x/a -> node closed', 'x/a -> api closed', 'x/a -> y/a:80 open', 'x/b -> api open'],
  },
  {
    rule: 'egress to the node’s address opens the API server',
    policies: (facts) => out({ to: [block(`${facts.node}/32`)], ports: [{ port: 6443 }] }),
    expect: ['x/a -> api open', 'x/a -> node closed', 'x/a -> y/a:80 closed'],
  },
  {
    rule: 'isolated ingress leaves the way to the API server open',
    policies: into(),
    expect: ['x/a -> api open', 'x/a -> node open', 'x/b -> x/a:80 closed'],
  },
];
