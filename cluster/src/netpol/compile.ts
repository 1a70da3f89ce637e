import { createHash } from 'node:crypto';
import type { AddressedPod, PolicyFacts, PolicyPeer, PolicyPort, PolicyRule, Snapshot } from './facts.ts';
import { contains, type Prefix, prefixText, tryAddress, tryPrefix } from './ipv4.ts';
import { compare, selectorKey, selects } from './selector.ts';
import type { Chain, NftSet, Table } from './table.ts';

/** What is the same for the life of a node. */
export interface NodeFacts {
  /** Name of the `inet` table. */
  readonly table: string;
  /** Addresses of this node's Pods. */
  readonly podCidr: Prefix;
  /** nft pattern of the host ends of the Pods' interfaces, e.g. `veth*`. */
  readonly podInterfaces: string;
}

type Direction = 'ingress' | 'egress';

const ADDRESS = 'ipv4_addr';
const PAIR = 'ipv4_addr . ipv4_addr';
const NAMED_PORT = 'ipv4_addr . inet_proto . inet_service';

/** What a Pod that is refused sees: an error at once, "No route to host", not a wait. */
const DENY = 'counter reject with icmpx admin-prohibited';

/** Addresses of Pods of other nodes that leave. They are peers as long as they do, for connections that are there. */
const LEAVING = 'leaving';
const NOTHING_NEW = {
  ingress: `ct state != established ip saddr @${LEAVING} ${DENY}`,
  egress: `ct state != established ip daddr @${LEAVING} ${DENY}`,
} as const;

/** Replies are never judged, every packet the opener sends is: so a policy cuts and restores connections that live. */
const FLOWS = ['ct direction reply ct state established,related accept', 'ct state related accept'] as const;

/**
 * Policies to rules. Per policy and direction one chain of `accept`s; per distinct set of selecting policies (a
 * *class*) one chain that jumps to each and then denies; two verdict maps lead each isolated Pod to its class. Peers
 * are sets of Pod addresses shared by all rules whose selector says the same. No anonymous sets: nft's time for those
 * grows worse than linearly.
 */
export function compile(snapshot: Snapshot, node: NodeFacts): Table {
  const sets = new Map<string, NftSet>();
  const chains = new Map<string, Chain>();
  const peers = new PeerSets(snapshot, sets);
  const local = snapshot.pods.filter(({ ip }) => contains(node.podCidr, tryAddress(ip) ?? -1));
  const known = local.map((pod) => pod.ip).sort(compare);
  sets.set('known', { type: ADDRESS, elements: new Set(known) });
  sets.set(LEAVING, { type: ADDRESS, elements: new Set(snapshot.leaving.map(({ ip }) => ip).sort(compare)) });
  sets.set('self', { type: PAIR, elements: new Set(known.map((ip) => `${ip} . ${ip}`)) });

  const byNamespace = Map.groupBy(snapshot.policies, (policy) => policy.namespace);
  const verdicts = (direction: Direction): Map<string, string> => {
    const map = new Map<string, string>();
    for (const pod of [...local].sort((a, b) => compare(a.ip, b.ip))) {
      const selecting = (byNamespace.get(pod.namespace) ?? [])
        .filter((policy) => policy[direction] !== undefined && selects(policy.selector, pod.labels))
        .sort((a, b) => compare(a.name, b.name));
      if (selecting.length > 0) map.set(pod.ip, `jump ${classChain(direction, selecting, chains, peers)}`);
    }
    return map;
  };
  const maps = new Map([
    ['ing', verdicts('ingress')],
    ['eg', verdicts('egress')],
  ]);
  for (const [name, chain] of baseChains(node)) chains.set(name, chain);
  return { name: node.table, sets, maps, chains };
}

/** A node that knows no Pod: whatever has a Pod's address is shut off. */
export function closedTable(node: NodeFacts): Table {
  return compile({ namespaces: [], pods: [], leaving: [], policies: [] }, node);
}

/**
 * After kube-proxy's address translation and refusals (filter + 0), before masquerade: a rule sees the real client and
 * the real Pod and port. Three chains on `forward` since `accept` ends only its own.
 */
function baseChains({ podCidr, podInterfaces }: NodeFacts): readonly (readonly [string, Chain])[] {
  const pods = prefixText(podCidr);
  const hook = (at: string) => `type filter hook ${at}; policy accept;`;
  return [
    [
      'spoof',
      {
        hook: hook('prerouting priority raw'),
        rules: [
          // Pods are IPv4 only; their link-local addresses would reach the node past every rule below.
          `iifname "${podInterfaces}" meta nfproto ipv6 counter drop`,
          `iifname "${podInterfaces}" fib saddr . iif oif missing counter drop`,
        ],
      },
    ],
    [
      'gate',
      {
        hook: hook('forward priority filter + 8'),
        rules: [`ip daddr ${pods} ip daddr != @known counter drop`, `ip saddr ${pods} ip saddr != @known counter drop`],
      },
    ],
    [
      'egress',
      {
        hook: hook('forward priority filter + 9'),
        rules: [...FLOWS, 'ip saddr . ip daddr @self accept', 'ip saddr vmap @eg'],
      },
    ],
    [
      'ingress',
      {
        hook: hook('forward priority filter + 10'),
        rules: [...FLOWS, 'ip saddr . ip daddr @self accept', 'ip daddr vmap @ing'],
      },
    ],
    [
      // The node's own ports, the API server's among them, are a peer like any other for an isolated Pod.
      'node',
      {
        hook: hook('input priority filter + 10'),
        rules: [
          `iifname "${podInterfaces}" ip saddr ${pods} ip saddr != @known counter drop`,
          ...FLOWS,
          'ip saddr vmap @eg',
        ],
      },
    ],
  ];
}

function classChain(
  direction: Direction,
  policies: readonly PolicyFacts[],
  chains: Map<string, Chain>,
  peers: PeerSets,
): string {
  const short = direction === 'ingress' ? 'i' : 'e';
  const name = `c${short}_${digest(policies.map((policy) => [policy.namespace, policy.name]))}`;
  if (chains.has(name)) return name;
  const jumps: string[] = [];
  for (const policy of policies) {
    const rules = [...new Set((policy[direction] ?? []).flatMap((rule) => ruleTexts(direction, policy, rule, peers)))];
    if (rules.length === 0) continue;
    const chain = `p${short}_${readable(policy.namespace)}_${readable(policy.name)}_${digest([policy.namespace, policy.name])}`;
    if (!chains.has(chain)) chains.set(chain, { comment: readable(`${policy.namespace}/${policy.name}`, 100), rules });
    jumps.push(`jump ${chain}`);
  }
  chains.set(name, { rules: [NOTHING_NEW[direction], ...jumps, DENY] });
  return name;
}

function ruleTexts(direction: Direction, policy: PolicyFacts, rule: PolicyRule, peers: PeerSets): readonly string[] {
  const who =
    rule.peers.length === 0
      ? ['']
      : rule.peers.map((peer) => peerMatch(direction, policy, peer, peers)).filter((match) => match !== undefined);
  const what = rule.ports.length === 0 ? [''] : rule.ports.map((port) => portMatch(port, peers));
  return who.flatMap((peer) => what.map((port) => [peer, port, 'accept'].filter((part) => part !== '').join(' ')));
}

/** Undefined for a block that no IPv4 address is in. */
function peerMatch(direction: Direction, policy: PolicyFacts, peer: PolicyPeer, peers: PeerSets): string | undefined {
  const field = direction === 'ingress' ? 'ip saddr' : 'ip daddr';
  if (peer.kind === 'pods') return `${field} @${peers.pods(policy.namespace, peer)}`;
  const prefix = tryPrefix(peer.cidr);
  if (prefix === undefined) return undefined;
  const except = peer.except.map(tryPrefix).filter((excluded) => excluded !== undefined);
  if (except.some(({ bits }) => bits === 0)) return undefined;
  return [
    ...(prefix.bits === 0 ? [] : [`${field} ${prefixText(prefix)}`]),
    ...except.map((excluded) => `${field} != ${prefixText(excluded)}`),
  ].join(' ');
}

function portMatch({ protocol, port, end }: PolicyPort, peers: PeerSets): string {
  const proto = protocol.toLowerCase();
  if (port === undefined) return `meta l4proto ${proto}`;
  if (typeof port === 'string') return `ip daddr . meta l4proto . th dport @${peers.named(port, protocol)}`;
  return `${proto} dport ${end === undefined || end === port ? port : `${port}-${end}`}`;
}

/** Makes the shared sets on demand. Their names come from what they mean, so that Pods come and go without a rule's change. */
class PeerSets {
  readonly #snapshot: Snapshot;
  readonly #sets: Map<string, NftSet>;
  readonly #pods: readonly AddressedPod[];
  readonly #podsByNamespace: ReadonlyMap<string, readonly AddressedPod[]>;

  constructor(snapshot: Snapshot, sets: Map<string, NftSet>) {
    this.#snapshot = snapshot;
    this.#sets = sets;
    this.#pods = [...snapshot.pods, ...snapshot.leaving];
    this.#podsByNamespace = Map.groupBy(this.#pods, (pod) => pod.namespace);
  }

  pods(ownNamespace: string, { namespaces, pods }: PolicyPeer & { readonly kind: 'pods' }): string {
    const scope = namespaces === undefined ? ['own', ownNamespace] : ['selected', selectorKey(namespaces)];
    const name = `s_${digest([...scope, selectorKey(pods)])}`;
    if (!this.#sets.has(name)) {
      const inScope =
        namespaces === undefined
          ? [ownNamespace]
          : this.#snapshot.namespaces.filter(({ labels }) => selects(namespaces, labels)).map((found) => found.name);
      const elements = inScope
        .flatMap((namespace) => this.#podsByNamespace.get(namespace) ?? [])
        .filter((pod) => selects(pods, pod.labels))
        .map((pod) => pod.ip);
      this.#sets.set(name, { type: ADDRESS, elements: new Set(elements.sort(compare)) });
    }
    return name;
  }

  named(port: string, protocol: string): string {
    const name = `n_${digest([port, protocol])}`;
    if (!this.#sets.has(name)) {
      const elements = this.#pods.flatMap((pod) =>
        pod.ports
          .filter((declared) => declared.name === port && declared.protocol === protocol)
          .map((declared) => `${pod.ip} . ${protocol.toLowerCase()} . ${declared.port}`),
      );
      this.#sets.set(name, { type: NAMED_PORT, elements: new Set(elements.sort(compare)) });
    }
    return name;
  }
}

function digest(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** A name for people who read the table; nothing but what nft takes in an identifier. */
function readable(name: string, limit = 40): string {
  return name.replaceAll(/[^A-Za-z0-9./-]/g, '_').slice(0, limit);
}
