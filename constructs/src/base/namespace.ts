import { ENFORCE_LABEL, type SecurityProfile, WARN_LABEL } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { PART_OF } from './names.ts';

/** What a {@link Namespace} is made of. */
export interface NamespaceProps {
  /** Name of the object. @default the construct's id */
  readonly name?: string;
  /**
   * Level of Pod Security that the API server enforces in it.
   * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/
   * @default restricted
   */
  readonly podSecurity?: SecurityProfile;
}

/**
 * A namespace, closed before its first Pod: no connection in, none out. Each workload then opens its own.
 * @example
 * const namespace = new Namespace(chart, 'reports');
 */
export class Namespace extends Construct {
  /** Name of the object. */
  readonly name: string;
  /** The Namespace itself. */
  readonly object: k8s.KubeNamespace;
  /** Nothing in, nothing out, for every Pod. */
  readonly denial: k8s.KubeNetworkPolicy;

  constructor(scope: Construct, id: string, props: NamespaceProps = {}) {
    super(scope, id);
    this.name = props.name ?? id;
    const level = props.podSecurity ?? 'restricted';
    this.object = new k8s.KubeNamespace(this, 'namespace', {
      metadata: {
        name: this.name,
        labels: {
          ...PART_OF,
          [ENFORCE_LABEL]: level,
          [WARN_LABEL]: level,
        },
      },
    });
    this.denial = new k8s.KubeNetworkPolicy(this, 'default-deny', {
      metadata: { name: 'default-deny', namespace: this.name, labels: { ...PART_OF } },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    });
    this.denial.addDependency(this.object);
  }
}
