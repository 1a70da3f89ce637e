import type { DelosConfig } from './delos-config.ts';
import type { SynthesisContext } from './synthesis-context.ts';

/** A Kubernetes object as it goes to the API server. */
export interface Manifest {
  /** Group and version: `apps/v1`. */
  readonly apiVersion: string;
  /** Kind: `Deployment`. */
  readonly kind: string;
  /** Name, place and labels. */
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** How a value that is made here is replaced by another while all that use it go on. */
export type RotationWay =
  /**
   * The server of the Secret's own part takes two values for a while: beside `KEY` it reads `KEY.next` and `KEY.former`, where
   * they are.
   */
  | {
      readonly kind: 'overlap';
      /** A command of the runtime in its Pods that ends once nothing depends on the former value: that goes after it. */
      readonly before?: 'rewrap';
      /** What people hold that ends with the former value: it is rotated only where somebody names it. */
      readonly ends?: string;
    }
  /** The password of a role of PostgreSQL, which has one at a time. Its clients try `KEY.next` and `KEY.former` as well. */
  | { readonly kind: 'role'; readonly role: string }
  /**
   * Keycloak has one value at a time, and is told of the new one by the keeper of the realm while it runs. Whoever shows it tries
   * `KEY.next` and `KEY.former` as well.
   */
  | { readonly kind: 'told' }
  /** It is not rotated. */
  | { readonly kind: 'kept'; readonly why: string };

/**
 * What a Secret's key shall hold. Manifests never carry the value: whoever deploys makes it once, keeps it with its
 * other secrets and fills it in.
 */
export type SecretSource =
  | { readonly kind: 'password'; readonly length?: number; readonly rotation?: RotationWay }
  | { readonly kind: 'ca-certificate' | 'ca-key' }
  /** A leaf for these names, signed by the instance's CA. */
  | {
      readonly kind: 'certificate' | 'certificate-key';
      readonly leaf: string;
      readonly dnsNames: readonly string[];
      readonly ipAddresses: readonly string[];
    }
  /** A private key that signs by ES256, PKCS #8 in PEM (RFC 7518, 3.4). */
  | { readonly kind: 'signing-key'; readonly rotation?: RotationWay }
  /** The public half of such a key of another Secret, written `SECRET/KEY`: a JSON Web Key Set (RFC 7517). */
  | { readonly kind: 'signing-key-set'; readonly ref: string; readonly namespace?: string }
  /** The content of a file of the machine that deploys, read at each deployment; a line break at its end is not part of it. */
  | { readonly kind: 'file'; readonly path: string }
  /**
   * Certificates of all authorities that are trusted, PEM: the public ones, those in these files of the machine that deploys,
   * and the instance's own.
   */
  | { readonly kind: 'authorities'; readonly files: readonly string[]; readonly own: boolean }
  /** The same value as another Secret's key, written `SECRET/KEY`, in that namespace or else in whichever has it. */
  | { readonly kind: 'same-as'; readonly ref: string; readonly namespace?: string };

/** One object, its place in the construct tree and what it waits for. */
export interface SynthesizedObject {
  /** Path in the construct tree: stable across runs, unique. */
  readonly id: string;
  /** The object itself. */
  readonly manifest: Manifest;
  /** Part of the platform that it belongs to: the name of a service, or `platform`. @default it stands by itself */
  readonly part?: string;
  /** Ids of objects that must be ready first; from the constructs' own dependency graph. */
  readonly dependsOn: readonly string[];
  /** Keys of a Secret, or of a ConfigMap, and where their values come from. `manifest` has no data for these. */
  readonly secrets: Readonly<Record<string, SecretSource>>;
}

/** What a tree of constructs comes to. */
export interface Synthesis {
  /** Everything stands behind what it waits for. */
  readonly objects: readonly SynthesizedObject[];
}

/** Configuration and cluster in, objects out. */
export type Synthesize = (config: DelosConfig, context: SynthesisContext) => Synthesis;
