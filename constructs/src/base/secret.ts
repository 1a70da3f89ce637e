import { k8s } from 'cdk8s-plus-28';
import type { Construct, IConstruct } from 'constructs';
import type { SecretSource } from '../synthesis.ts';
import { PART_OF } from './names.ts';
import type { Namespace } from './namespace.ts';

/** What a {@link Secret} is made of. */
export interface SecretProps {
  /** The namespace that it lies in. Pods of this namespace alone can mount it. */
  readonly namespace: Namespace;
  /** Name of the object. @default the construct's id */
  readonly name?: string;
  /**
   * Type of the Secret.
   * @see https://kubernetes.io/docs/concepts/configuration/secret/#secret-types
   * @default Opaque
   */
  readonly type?: string;
  /** Key → how its value is made. Who deploys makes the value; no manifest has it. */
  readonly sources: Readonly<Record<string, SecretSource>>;
}

/** A Secret to mount: a {@link Secret} of this tree, or by {@link Secret.external} one that is in the cluster already. */
export interface SecretHandle {
  /** Name of the object. */
  readonly name: string;
  /** The namespace that it lies in. */
  readonly namespace: Namespace;
}

// Beside the objects: cdk8s makes `instanceof` true for every ApiObject, so that a subclass cannot be told apart.
const SOURCES = new WeakMap<IConstruct, Readonly<Record<string, SecretSource>>>();

/** Says where the values of an object's data come from, which its manifest leaves out. */
export const setSecretSources = (construct: IConstruct, sources: Readonly<Record<string, SecretSource>>): void =>
  void SOURCES.set(construct, sources);

/** Where the values of this construct's Secret come from; empty for all other constructs. */
export const secretSourcesOf = (construct: IConstruct): Readonly<Record<string, SecretSource>> =>
  SOURCES.get(construct) ?? {};

/**
 * A Secret whose manifest carries no value.
 * @example
 * const token = new Secret(chart, 'token', { namespace, sources: { token: { kind: 'password', length: 48 } } });
 */
export class Secret extends k8s.KubeSecret implements SecretHandle {
  /** The namespace that it lies in. */
  readonly namespace: Namespace;

  constructor(scope: Construct, id: string, props: SecretProps) {
    super(scope, id, {
      metadata: { name: props.name ?? id, namespace: props.namespace.name, labels: { ...PART_OF } },
      type: props.type ?? 'Opaque',
    });
    this.namespace = props.namespace;
    this.node.addDependency(props.namespace);
    setSecretSources(this, props.sources);
  }

  /**
   * A Secret that is in the cluster before anything is deployed, and stays when all of it goes.
   * @example
   * const token = Secret.external({ namespace, name: 'made-by-the-vault' });
   */
  static external(handle: SecretHandle): SecretHandle {
    return { name: handle.name, namespace: handle.namespace };
  }

  /**
   * The same values in another namespace, where Pods cannot mount this one.
   * @example
   * const database = new Postgres(chart, 'postgres', { namespace }).database('reports');
   * const batch = new Namespace(chart, 'batch');
   * const password = Secret.copy(chart, 'password', { namespace: batch, of: database.password });
   */
  static copy(scope: Construct, id: string, props: SecretCopyProps): SecretKey {
    const { namespace, of, name } = props;
    const ref = `${of.secret.name}/${of.key}`;
    const secret = new Secret(scope, id, {
      namespace,
      ...(name === undefined ? {} : { name }),
      sources: { [of.key]: { kind: 'same-as', namespace: of.secret.namespace.name, ref } },
    });
    return { secret, key: of.key };
  }
}

/** What {@link Secret.copy} needs. */
export interface SecretCopyProps {
  /** The namespace of the copy. */
  readonly namespace: Namespace;
  /** The key that is copied, of a Secret of this tree. */
  readonly of: SecretKey;
  /** Name of the copy. @default the construct's id */
  readonly name?: string;
}

/** One key of a Secret. Its file, where the Secret is mounted, has the key's name. */
export interface SecretKey {
  /** The Secret that has it. */
  readonly secret: SecretHandle;
  /** Name of the key. */
  readonly key: string;
}
