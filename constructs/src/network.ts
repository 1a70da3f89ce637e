import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { labelsOf, NODE_NAMESPACE, PART_OF, PLATFORM_NAMESPACE, selectorOf } from './names.ts';

/** The other end of an allowed connection. */
export type Peer =
  | { readonly kind: 'part'; readonly name: string; readonly namespace?: string; readonly ports: readonly number[] }
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ports: readonly number[] }
  | { readonly kind: 'anyone'; readonly ports: readonly number[] }
  | { readonly kind: 'dns' };

export interface PartPolicyProps {
  readonly name: string;
  /** @default the platform's */
  readonly namespace?: string;
  readonly ingress?: readonly Peer[];
  readonly egress?: readonly Peer[];
}

/** Nothing in, nothing out, for every Pod of a namespace. What is open is then said by part. */
export function denyAll(scope: Construct, id: string, namespace: string): k8s.KubeNetworkPolicy {
  return new k8s.KubeNetworkPolicy(scope, id, {
    metadata: { name: 'default-deny', namespace, labels: { ...PART_OF } },
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  });
}

const DNS_ADDRESSES = 'delos.dev/dns-addresses';

/** Where Pods of this tree ask for names, beside the Pods of cluster DNS. Call it before anything is put into the tree. */
export function setDnsAddresses(tree: Construct, addresses: readonly string[]): void {
  tree.node.setContext(DNS_ADDRESSES, addresses);
}

/** Exactly these connections for the Pods of one part. */
export function partPolicy(scope: Construct, id: string, props: PartPolicyProps): k8s.KubeNetworkPolicy {
  const namespace = props.namespace ?? PLATFORM_NAMESPACE;
  const dns: readonly string[] = scope.node.tryGetContext(DNS_ADDRESSES) ?? [];
  const ingress = (props.ingress ?? []).map((peer) => ({ ...from(peer, namespace), ports: portsOf(peer) }));
  const egress = (props.egress ?? []).map((peer) => ({ ...to(peer, namespace, dns), ports: portsOf(peer) }));
  return new k8s.KubeNetworkPolicy(scope, id, {
    metadata: { name: props.name, namespace, labels: { ...labelsOf(props.name) } },
    spec: {
      podSelector: { matchLabels: { ...selectorOf(props.name) } },
      policyTypes: ['Ingress', 'Egress'],
      ...(ingress.length === 0 ? {} : { ingress }),
      ...(egress.length === 0 ? {} : { egress }),
    },
  });
}

const from = (peer: Peer, own: string): k8s.NetworkPolicyIngressRule => {
  const peers = peersOf(peer, own, []);
  return peers === undefined ? {} : { from: peers };
};
const to = (peer: Peer, own: string, dns: readonly string[]): k8s.NetworkPolicyEgressRule => {
  const peers = peersOf(peer, own, dns);
  return peers === undefined ? {} : { to: peers };
};

const inNamespace = (name: string): k8s.LabelSelector => ({ matchLabels: { 'kubernetes.io/metadata.name': name } });

const block = (address: string): k8s.NetworkPolicyPeer => ({
  ipBlock: { cidr: `${address}/${address.includes(':') ? '128' : '32'}` },
});

function peersOf(peer: Peer, own: string, dns: readonly string[]): k8s.NetworkPolicyPeer[] | undefined {
  switch (peer.kind) {
    case 'anyone':
      return undefined;
    case 'addresses':
      return peer.addresses.map(block);
    case 'dns':
      return [
        { namespaceSelector: inNamespace('kube-system'), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } },
        ...dns.map(block),
      ];
    case 'part': {
      const podSelector = { matchLabels: { ...selectorOf(peer.name) } };
      const namespace = peer.namespace ?? PLATFORM_NAMESPACE;
      return [namespace === own ? { podSelector } : { namespaceSelector: inNamespace(namespace), podSelector }];
    }
  }
}

function portsOf(peer: Peer): k8s.NetworkPolicyPort[] {
  if (peer.kind === 'dns') {
    return ['UDP', 'TCP'].map((protocol) => ({ port: k8s.IntOrString.fromNumber(53), protocol }));
  }
  return peer.ports.map((port) => ({ port: k8s.IntOrString.fromNumber(port), protocol: 'TCP' }));
}

/** The namespaces themselves, each with the level of Pod Security that the API server enforces there. */
export function namespaces(scope: Construct): readonly k8s.KubeNamespace[] {
  const namespace = (name: string, level: string): k8s.KubeNamespace =>
    new k8s.KubeNamespace(scope, `namespace-${name}`, {
      metadata: {
        name,
        labels: {
          ...PART_OF,
          'pod-security.kubernetes.io/enforce': level,
          'pod-security.kubernetes.io/warn': level,
        },
      },
    });
  return [namespace(PLATFORM_NAMESPACE, 'restricted'), namespace(NODE_NAMESPACE, 'privileged')];
}
