import {
  CLUSTER_DNS,
  HTTP_PORT_LABEL,
  NAMESPACE_NAME_LABEL,
  OWN_PREFIX,
  PROJECT_LABEL,
  SYSTEM_NAMESPACE,
} from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { lazy } from './lazy.ts';
import { labelsOf, selectorOf } from './names.ts';
import type { Namespace } from './namespace.ts';

/** Pods that a connection comes from or goes to. */
export interface Endpoint {
  /** The namespace of the Pods. */
  readonly namespace: Namespace;
  /** Value of their label `app.kubernetes.io/name`. */
  readonly name: string;
  /** Their NetworkPolicy. */
  readonly connections: Connections;
}

/** The other end of an allowed connection. */
export type Peer =
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint; readonly ports: readonly number[] }
  /** Pods that others deploy, by the name of their namespace and their labels. Their own policy must let ours in. */
  | {
      readonly kind: 'pods';
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly ports: readonly number[];
    }
  /** IP addresses, each by itself, and ranges of them as `10.1.0.0/16`. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ports: readonly number[] }
  /** Every address, inside the cluster and outside; by TCP, and where that is said by UDP. */
  | { readonly kind: 'anyone'; readonly ports: readonly number[]; readonly udp?: true }
  /** Pods of jobs that have a port for HTTP. Their own policy says at which. */
  | { readonly kind: 'jobs' }
  /** The cluster's DNS. */
  | { readonly kind: 'dns' };

/** The cluster's DNS, for Pods that ask for names. */
export const DNS: Peer = { kind: 'dns' };

const DNS_ADDRESSES = `${OWN_PREFIX}dns-addresses`;

/** Where Pods of this tree ask for names, beside the Pods of cluster DNS. Call it before anything is put into the tree. */
export function setDnsAddresses(tree: Construct, addresses: readonly string[]): void {
  tree.node.setContext(DNS_ADDRESSES, addresses);
}

const block = (address: string): k8s.NetworkPolicyPeer => ({
  ipBlock: { cidr: address.includes('/') ? address : `${address}/${address.includes(':') ? '128' : '32'}` },
});

/** Whose connections {@link Connections} are. */
export interface ConnectionsProps {
  /** Value of the Pods' label `app.kubernetes.io/name`; the NetworkPolicy has this name too. */
  readonly name: string;
  /** The namespace of the Pods. */
  readonly namespace: Namespace;
}

/**
 * All connections of one endpoint's Pods: its NetworkPolicy. A connection between two endpoints is said once, and both
 * policies have it. A {@link Workload} has one by itself.
 * @example
 * const connections = new Connections(chart, 'connections', { namespace, name: 'made-by-a-helm-chart' });
 * connections.admit({ kind: 'anyone', ports: [8080] });
 */
export class Connections extends Construct {
  /** The NetworkPolicy. */
  readonly policy: k8s.KubeNetworkPolicy;
  readonly #namespace: Namespace;
  readonly #in: Peer[] = [];
  readonly #out: Peer[] = [];

  constructor(scope: Construct, id: string, props: ConnectionsProps) {
    super(scope, id);
    this.#namespace = props.namespace;
    this.policy = new k8s.KubeNetworkPolicy(this, 'policy', {
      metadata: { name: props.name, namespace: props.namespace.name, labels: { ...labelsOf(props.name) } },
      spec: lazy(() => this.#spec(props.name)),
    });
    this.policy.addDependency(props.namespace.denial);
    this.node.addDependency(props.namespace);
  }

  get #dnsAddresses(): readonly string[] {
    return this.node.tryGetContext(DNS_ADDRESSES) ?? [];
  }

  /** Lets this peer in. */
  admit(peer: Peer): void {
    this.#in.push(peer);
  }

  /** Lets these Pods out to this peer. An endpoint is told by {@link connect}. */
  reach(peer: Peer): void {
    this.#out.push(peer);
  }

  #spec(name: string): k8s.NetworkPolicySpec {
    const ingress = merged(this.#in).map((peer) => ({ ...this.#from(peer), ...portsOf(peer) }));
    const egress = merged(this.#out).map((peer) => ({ ...this.#to(peer), ...portsOf(peer) }));
    return {
      podSelector: { matchLabels: { ...selectorOf(name) } },
      policyTypes: ['Ingress', 'Egress'],
      ...(ingress.length === 0 ? {} : { ingress }),
      ...(egress.length === 0 ? {} : { egress }),
    };
  }

  #from(peer: Peer): k8s.NetworkPolicyIngressRule {
    const peers = this.#peers(peer);
    return peers === undefined ? {} : { from: peers };
  }

  #to(peer: Peer): k8s.NetworkPolicyEgressRule {
    const peers = this.#peers(peer);
    return peers === undefined ? {} : { to: peers };
  }

  #peers(peer: Peer): k8s.NetworkPolicyPeer[] | undefined {
    switch (peer.kind) {
      case 'anyone':
        return undefined;
      case 'addresses':
        return peer.addresses.map(block);
      case 'pods':
        return [{ namespaceSelector: inNamespace(peer.namespace), podSelector: { matchLabels: { ...peer.labels } } }];
      case 'jobs':
        return [{ namespaceSelector: having(PROJECT_LABEL), podSelector: having(HTTP_PORT_LABEL) }];
      case 'dns':
        return [
          { namespaceSelector: inNamespace(SYSTEM_NAMESPACE), podSelector: { matchLabels: { ...CLUSTER_DNS } } },
          ...this.#dnsAddresses.map(block),
        ];
      case 'endpoint': {
        const { namespace, name } = peer.endpoint;
        const podSelector = { matchLabels: { ...selectorOf(name) } };
        if (namespace === this.#namespace) return [{ podSelector }];
        return [{ namespaceSelector: inNamespace(namespace.name), podSelector }];
      }
    }
  }
}

/** Opens a connection from one endpoint to a peer, at both ends. */
export function connect(from: Endpoint, to: Peer): void {
  from.connections.reach(to);
  if (to.kind === 'endpoint') {
    to.endpoint.connections.admit({ kind: 'endpoint', endpoint: from, ports: to.ports });
  }
}

const RANK = { addresses: 0, endpoint: 1, pods: 2, jobs: 3, anyone: 4, dns: 5 } as const;
const keyOf = (peer: Peer): string =>
  `${RANK[peer.kind]} ${peer.kind === 'endpoint' ? `${peer.endpoint.name} ${peer.endpoint.namespace.name}` : JSON.stringify(peer)}`;

/** Each peer once, with all its ports, in an order that does not depend on who opened a connection first. */
function merged(peers: readonly Peer[]): readonly Peer[] {
  const byKey = new Map<string, Peer>();
  for (const peer of peers) {
    const key = keyOf(peer);
    const same = byKey.get(key);
    const ports = same?.kind === 'endpoint' && peer.kind === 'endpoint' ? [...same.ports, ...peer.ports] : [];
    byKey.set(
      key,
      peer.kind === 'endpoint' && ports.length > 0
        ? { ...peer, ports: [...new Set(ports)].sort((a, b) => a - b) }
        : peer,
    );
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, peer]) => peer);
}

const having = (key: string): k8s.LabelSelector => ({ matchExpressions: [{ key, operator: 'Exists' }] });

const inNamespace = (name: string): k8s.LabelSelector => ({ matchLabels: { [NAMESPACE_NAME_LABEL]: name } });

/** No ports are left out, and not an empty list: the API server drops that, so that each apply would be a change. */
function portsOf(peer: Peer): { readonly ports?: k8s.NetworkPolicyPort[] } {
  const ports = portListOf(peer);
  return ports.length === 0 ? {} : { ports };
}

function portListOf(peer: Peer): k8s.NetworkPolicyPort[] {
  if (peer.kind === 'jobs') return [];
  if (peer.kind === 'dns') {
    return ['UDP', 'TCP'].map((protocol) => ({ port: k8s.IntOrString.fromNumber(53), protocol }));
  }
  const protocols = peer.kind === 'anyone' && peer.udp === true ? ['UDP', 'TCP'] : ['TCP'];
  return peer.ports.flatMap((port) =>
    protocols.map((protocol) => ({ port: k8s.IntOrString.fromNumber(port), protocol })),
  );
}
