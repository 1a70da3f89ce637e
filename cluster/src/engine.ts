import type { InstancePaths, PlatformConfig, Progress } from '@delos/core';

export interface EngineOptions {
  readonly paths: InstancePaths;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--yes`: a server that is not loopback is accepted without its context being named. @default false */
  readonly yes?: boolean;
  /** `--context NAME`: stands above the configuration's `cluster.context`. */
  readonly context?: string;
}

/**
 * A way to have a Kubernetes cluster. All engines are used through this face alone; what comes after them (images,
 * stacks) sees only the handle.
 */
export interface ClusterEngine {
  readonly kind: 'existing' | 'kind' | 'embedded';
  /**
   * Installs what the engine needs of the operating system, so that a missing part shows before anything long begins.
   */
  prepare(progress: Progress): Promise<void>;
  /** Brings the cluster up or repairs it; the same call goes on where a killed one stopped. */
  up(config: PlatformConfig, progress: Progress, options?: UpOptions): Promise<ClusterHandle>;
  /** Takes down what `up` made, and proves that nothing is left. An existing cluster is left as it is. */
  down(options: { readonly deleteData: boolean }, progress: Progress): Promise<void>;
  /** Undefined when the cluster is not up. Changes nothing. */
  status(): Promise<ClusterStatus | undefined>;
  /** A handle to a cluster that is up. @throws DelosError ERR_NOT_UP */
  handle(): Promise<ClusterHandle>;
  /** Single nodes, where the engine made them as it would machines. */
  readonly nodes?: NodeControl;
}

export interface UpOptions {
  /** How many nodes there shall be; left out: as the configuration says, else as many as there are. */
  readonly nodes?: number | undefined;
  /** Volumes that lie on nodes which go are lost with them, and not a reason to refuse. @default false */
  readonly deleteData?: boolean;
}

/** Each waits until it is done. @throws DelosError ERR_NOT_FOUND for a node that is not there */
export interface NodeControl {
  /** Ends all of a node at once, as if its machine lost its power. It stays so until `start`, or `up`. */
  stop(name: string): Promise<void>;
  start(name: string, progress: Progress): Promise<void>;
  /** The node reaches nothing and is reached by nothing, until `mend`, or `up`. */
  cut(name: string): Promise<void>;
  mend(name: string, progress: Progress): Promise<void>;
}

export interface ClusterHandle {
  readonly kind: ClusterEngine['kind'];
  /** Path of a kubeconfig, mode 0600, whose current context is this cluster. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly server: string;
  /** Addresses and port of the API server as Pods reach it behind the `kubernetes` Service. */
  readonly apiServer: { readonly addresses: readonly string[]; readonly port: number };
  /** Addresses at which Pods ask for names, beside the Pods of cluster DNS. */
  readonly dnsAddresses: readonly string[];
  /** Ranges of its own addresses, as far as they are known: its nodes, Pods and Services. */
  readonly networks: readonly string[];
  readonly storageClass: string | undefined;
  /** StorageClass of users' disks where the configuration names none; undefined: the cluster's default. */
  readonly diskClass: string | undefined;
  /** Folder for files of projects that all of its nodes see; undefined where it brings none. */
  readonly fileFolder?: string;
  /** What keeps Pods from user namespaces of their own (`hostUsers: false`), in words; empty where nothing does. */
  readonly lacksUserNamespaces: readonly string[];
  /** How images get to the nodes. `mirror`: an OCI registry store that the nodes' containerd asks for every name. */
  readonly images:
    | {
        readonly kind: 'mirror';
        readonly endpoint: string;
        /** Whether the nodes ask there for stand-ins too. */
        readonly standIns: boolean;
      }
    | { readonly kind: 'registry'; readonly registry: string }
    | { readonly kind: 'load'; load(archive: string): Promise<void> }
    | { readonly kind: 'upstream' };
  /** Makes node ports answer on 127.0.0.1 of this machine; a port 0 becomes a free one that is kept. */
  exposeLoopback(
    ports: readonly { readonly host: number; readonly node: number }[],
  ): Promise<readonly { readonly host: number; readonly node: number }[]>;
}

export interface ClusterStatus {
  readonly kind: ClusterEngine['kind'];
  readonly server: string;
  readonly version: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly ready: boolean;
    readonly pool: string | undefined;
    /** Container runtime and its version, e.g. `containerd://1.7.27`, where the engine asks for it. */
    readonly runtime?: string;
    readonly address?: string;
    /** Whether it was stopped or cut off by its engine's command. */
    readonly state?: 'running' | 'stopped' | 'cut';
  }[];
  /** Processes or add-ons of the engine, with what is wrong where something is. */
  readonly parts: readonly { readonly name: string; readonly healthy: boolean; readonly message: string }[];
}
