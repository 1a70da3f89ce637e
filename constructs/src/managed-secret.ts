import { k8s } from 'cdk8s-plus-28';
import type { Construct, IConstruct } from 'constructs';
import { PART_OF } from './names.ts';
import type { SecretSource } from './synthesis.ts';

export interface ManagedSecretProps {
  readonly name: string;
  readonly namespace: string;
  /** @default Opaque */
  readonly type?: string;
  /** What each key shall hold; the values come from whoever deploys. */
  readonly sources: Readonly<Record<string, SecretSource>>;
}

// Beside the objects: cdk8s makes `instanceof` true for every ApiObject, so that a subclass cannot be told apart.
const SOURCES = new WeakMap<IConstruct, Readonly<Record<string, SecretSource>>>();

/** What the keys of this construct's Secret shall hold; empty for all other constructs. */
export const secretSourcesOf = (construct: IConstruct): Readonly<Record<string, SecretSource>> =>
  SOURCES.get(construct) ?? {};

/** A Secret whose manifest carries no value. */
export class ManagedSecret extends k8s.KubeSecret {
  constructor(scope: Construct, id: string, props: ManagedSecretProps) {
    super(scope, id, {
      metadata: { name: props.name, namespace: props.namespace, labels: { ...PART_OF } },
      type: props.type ?? 'Opaque',
    });
    SOURCES.set(this, props.sources);
  }
}
