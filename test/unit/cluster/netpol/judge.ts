import { inBlock } from './simulator.ts';

/** Objects as a person writes them: what the API server stores. */
export interface ApiSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}
export interface ApiPeer {
  readonly podSelector?: ApiSelector;
  readonly namespaceSelector?: ApiSelector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}
export interface ApiPort {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}
export interface ApiPolicy {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly podSelector: ApiSelector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly ApiPeer[]; readonly ports?: readonly ApiPort[] }[];
    readonly egress?: readonly { readonly to?: readonly ApiPeer[]; readonly ports?: readonly ApiPort[] }[];
  };
}
export interface ApiPod {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly containers: readonly {
      readonly ports: readonly { readonly name: string; readonly protocol: string; readonly containerPort: number }[];
    }[];
  };
  readonly status: { readonly phase: string; readonly podIP: string };
}
export interface ApiNamespace {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}
export interface World {
  readonly namespaces: readonly ApiNamespace[];
  readonly pods: readonly ApiPod[];
  readonly policies: readonly ApiPolicy[];
}
export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
}

/**
 * NetworkPolicy by brute force, read from its documentation: no tables, no sharing. An address without a Pod is the
 * world outside, the node's own addresses included.
 */
export function allowed(world: World, flow: Flow): boolean {
  if (flow.from === flow.to) return true;
  const source = world.pods.find((pod) => pod.status.podIP === flow.from);
  const target = world.pods.find((pod) => pod.status.podIP === flow.to);
  const leaves = source === undefined || consent(world, source, 'Egress', flow.to, target, flow, target);
  const enters = target === undefined || consent(world, target, 'Ingress', flow.from, source, flow, target);
  return leaves && enters;
}

function consent(
  world: World,
  subject: ApiPod,
  type: 'Ingress' | 'Egress',
  otherAddress: string,
  other: ApiPod | undefined,
  flow: Flow,
  target: ApiPod | undefined,
): boolean {
  let isolated = false;
  for (const { metadata, spec } of world.policies) {
    if (metadata.namespace !== subject.metadata.namespace || !matches(spec.podSelector, subject.metadata.labels))
      continue;
    const types = spec.policyTypes ?? (spec.egress ? ['Ingress', 'Egress'] : ['Ingress']);
    if (!types.includes(type)) continue;
    isolated = true;
    const rules =
      type === 'Ingress'
        ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
    for (const { peers, ports } of rules) {
      const who = !peers?.length || peers.some((peer) => isPeer(world, metadata.namespace, peer, otherAddress, other));
      const what = !ports?.length || ports.some((port) => isPort(port, flow, target));
      if (who && what) return true;
    }
  }
  return !isolated;
}

function isPeer(world: World, namespace: string, peer: ApiPeer, address: string, pod: ApiPod | undefined): boolean {
  if (peer.ipBlock) {
    return inBlock(address, peer.ipBlock.cidr) && !(peer.ipBlock.except ?? []).some((block) => inBlock(address, block));
  }
  if (pod === undefined) return false;
  const home = world.namespaces.find(({ metadata }) => metadata.name === pod.metadata.namespace);
  const scope = peer.namespaceSelector
    ? home !== undefined && matches(peer.namespaceSelector, home.metadata.labels)
    : pod.metadata.namespace === namespace;
  return scope && matches(peer.podSelector ?? {}, pod.metadata.labels);
}

function isPort({ protocol = 'TCP', port, endPort }: ApiPort, flow: Flow, target: ApiPod | undefined): boolean {
  if (protocol !== flow.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === 'string') {
    const declared = target?.spec.containers.flatMap((container) => container.ports) ?? [];
    return declared.some(
      (found) => found.name === port && found.protocol === protocol && found.containerPort === flow.port,
    );
  }
  return flow.port >= port && flow.port <= (endPort ?? port);
}

function matches(
  { matchLabels = {}, matchExpressions = [] }: ApiSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (Object.entries(matchLabels).some(([key, value]) => labels[key] !== value)) return false;
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const listed = value !== undefined && values.includes(value);
    return operator === 'In' ? listed : !listed;
  });
}
