/**
 * What the compiler knows. Terminology:
 *
 * - a *policy* is one networking.k8s.io/v1 NetworkPolicy; it *selects* Pods of its own namespace;
 * - a Pod is *isolated* in a direction when at least one policy with that direction selects it: then only what some
 *   selecting policy allows may pass, and a connection needs the consent of both ends;
 * - a *peer* is who may be at the other end, a *port* what may be reached there;
 * - an *addressable* Pod has an IPv4 address of its own that is its own now: not hostNetwork, not finished, not stale.
 *
 * @see https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type Labels = Readonly<Record<string, string>>;

export interface SelectorExpression {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** A LabelSelector; one without terms matches everything. */
export interface Selector {
  readonly labels: Labels;
  readonly expressions: readonly SelectorExpression[];
}

export interface NamespaceFacts {
  readonly name: string;
  readonly labels: Labels;
}

export interface ContainerPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** A Pod as the API tells of it. */
export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  /** IPv4 address of the status; undefined before the kubelet has reported one. */
  readonly ip: string | undefined;
  readonly hostNetwork: boolean;
  /** Phase Succeeded or Failed: its address may already be another Pod's. */
  readonly finished: boolean;
  /** RFC 3339; the later of two that claim one address wins. */
  readonly created: string;
  readonly ports: readonly ContainerPort[];
  /** Seconds that its containers have to end, once they are told to. */
  readonly graceSeconds: number;
}

/** A Pod whose address is known to be its own. */
export interface AddressedPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly ip: string;
  readonly ports: readonly ContainerPort[];
}

export type PolicyPeer =
  | {
      readonly kind: 'pods';
      /** Undefined: the policy's own namespace. */
      readonly namespaces: Selector | undefined;
      readonly pods: Selector;
    }
  | { readonly kind: 'block'; readonly cidr: string; readonly except: readonly string[] };

/** `port` undefined: every port of the protocol. A name is resolved at each destination Pod. `end` is inclusive. */
export interface PolicyPort {
  readonly protocol: Protocol;
  readonly port: number | string | undefined;
  readonly end: number | undefined;
}

export interface PolicyRule {
  /** Empty: any peer. */
  readonly peers: readonly PolicyPeer[];
  /** Empty: any protocol and port. */
  readonly ports: readonly PolicyPort[];
}

export interface PolicyFacts {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector;
  /** Undefined: does not isolate in this direction. Empty: isolates and allows nothing. */
  readonly ingress: readonly PolicyRule[] | undefined;
  readonly egress: readonly PolicyRule[] | undefined;
}

export interface Snapshot {
  readonly namespaces: readonly NamespaceFacts[];
  readonly pods: readonly AddressedPod[];
  /** Pods of other nodes that were deleted by force and may still run: what they had begun goes on, nothing new begins. */
  readonly leaving: readonly AddressedPod[];
  readonly policies: readonly PolicyFacts[];
}
