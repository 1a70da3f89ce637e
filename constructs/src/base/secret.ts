import { k8s } from 'cdk8s-plus-28';
import type { Construct, IConstruct } from 'constructs';
import type { SecretSource } from '../synthesis.ts';
import { PART_OF } from './names.ts';
import type { Namespace } from './namespace.ts';

export interface SecretProps {
  readonly namespace: Namespace;
  /** @default the construct's id */
  readonly name?: string;
  /** @default Opaque */
  readonly type?: string;
  /** The value that each key shall hold. Who deploys makes it; no manifest has it. */
  readonly sources: Readonly<Record<string, SecretSource>>;
}

// Beside the objects: cdk8s makes `instanceof` true for every ApiObject, so that a subclass cannot be told apart.
const SOURCES = new WeakMap<IConstruct, Readonly<Record<string, SecretSource>>>();

/** Where the values of this construct's Secret come from; empty for all other constructs. */
export const secretSourcesOf = (construct: IConstruct): Readonly<Record<string, SecretSource>> =>
  SOURCES.get(construct) ?? {};

/**
 * A Secret whose manifest carries no value.
 * @example
 * const token = new Secret(chart, 'token', { namespace, sources: { token: { kind: 'password', length: 48 } } });
 */
export class Secret extends k8s.KubeSecret {
  readonly namespace: Namespace;

  constructor(scope: Construct, id: string, props: SecretProps) {
    super(scope, id, {
      metadata: { name: props.name ?? id, namespace: props.namespace.name, labels: { ...PART_OF } },
      type: props.type ?? 'Opaque',
    });
    this.namespace = props.namespace;
    SOURCES.set(this, props.sources);
  }
}

/** One key of a Secret. Its file, where the Secret is mounted, has the key's name. */
export interface SecretKey {
  readonly secret: Secret;
  readonly key: string;
}
