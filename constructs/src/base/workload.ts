import { CHECKSUM_ANNOTATION, REREADS_ANNOTATION } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct, type IConstruct } from 'constructs';
import { checksumOf } from './config-files.ts';
import { Connections, connect, type Endpoint, type Peer } from './connections.ts';
import { lazy } from './lazy.ts';
import type { Mount } from './mount.ts';
import { hostOf, labelsOf, selectorOf } from './names.ts';
import type { Namespace } from './namespace.ts';
import { apart, placed, quickNames } from './placement.ts';
import { configOf, podSpec, secretsOf, type WorkloadPod } from './pod.ts';
import { priorityOf } from './priority.ts';

/** What a {@link Workload} is made of. */
export interface WorkloadProps extends WorkloadPod {
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Name of the workload, its Service, ServiceAccount and NetworkPolicy. @default the construct's id */
  readonly name?: string;
  /** What keeps the Pods. */
  readonly runs: Deployment | StatefulSet | DaemonSet;
  /** The Service, where it is more than the ports inside the cluster. @default a ClusterIP with these ports */
  readonly service?: Pick<k8s.ServiceSpec, 'type' | 'ports' | 'externalTrafficPolicy'>;
  /** Its containers read the files of secrets anew for each use, so that a changed one restarts nothing. @default false */
  readonly rereadsSecrets?: boolean;
  /** Annotations of the Service. @default none */
  readonly serviceAnnotations?: Readonly<Record<string, string>>;
}

/** Pods without a volume of their own, any of which can be replaced by another. */
export interface Deployment {
  readonly kind: 'deployment';
  /** How many run. */
  readonly replicas: number;
  /** True where two at once may not be: the old Pod ends before the new one starts. @default false */
  readonly recreate?: boolean;
}
/** Pods with names of their own, each with its claims. */
export interface StatefulSet {
  readonly kind: 'stateful-set';
  /** How many run. */
  readonly replicas: number;
  /**
   * True where each holds a copy of the same: they start at the same time, on nodes of their own, and leave one at a time.
   * @default false
   */
  readonly members?: boolean;
}
/** One Pod on every node. It has no Service. */
export interface DaemonSet {
  readonly kind: 'daemon-set';
}

/**
 * The one shape of every service: Pods under Pod Security `restricted`, an account without rights, a Service, and
 * exactly the connections that {@link Workload.reach} and {@link Workload.admit} open.
 * @example
 * const database = new Postgres(chart, 'postgres', { namespace }).database('reports');
 * const api = new Workload(chart, 'api', {
 *   namespace,
 *   image: 'registry.example/api:1.0',
 *   command: ['/api'],
 *   user: 61000,
 *   ports: { http: 8080 },
 *   runs: { kind: 'deployment', replicas: 2 },
 *   resources: { cpu: '100m', memory: '128Mi', memoryLimit: '256Mi' },
 *   mounts: () => [mounted(database.password.secret)],
 *   env: () => databaseEnv(database),
 * });
 * api.reach(database.peer, DNS);
 * // Every object can be patched, whatever the props leave out.
 * api.object.addJsonPatch(JsonPatch.add('/spec/template/spec/nodeSelector', { disk: 'fast' }));
 */
export class Workload extends Construct implements Endpoint {
  /** Name of the workload, its Service, ServiceAccount and NetworkPolicy. */
  readonly name: string;
  /** The namespace that it runs in. */
  readonly namespace: Namespace;
  /** Port name → number. */
  readonly ports: Readonly<Record<string, number>>;
  /** The Deployment, StatefulSet or DaemonSet. */
  readonly object: k8s.KubeDeployment | k8s.KubeStatefulSet | k8s.KubeDaemonSet;
  /** Its Service; undefined for a DaemonSet. */
  readonly service: k8s.KubeService | undefined;
  /** The account of its Pods. It has no rights, and its token is mounted only on request. */
  readonly serviceAccount: k8s.KubeServiceAccount;
  /** Its NetworkPolicy. */
  readonly connections: Connections;
  readonly #env: k8s.EnvVar[] = [];
  readonly #mounts: Mount[] = [];

  constructor(scope: Construct, id: string, given: WorkloadProps) {
    super(scope, id);
    const props: WorkloadProps = {
      ...given,
      env: () => withMore(given.env?.() ?? [], this.#env),
      mounts: () => [...(given.mounts?.() ?? []), ...this.#mounts],
    };
    this.name = props.name ?? id;
    this.namespace = props.namespace;
    this.ports = props.ports;
    const metadata = { name: this.name, namespace: this.namespace.name, labels: { ...labelsOf(this.name) } };
    const rereads = props.rereadsSecrets === true ? { annotations: { [REREADS_ANNOTATION]: 'true' } } : {};
    this.serviceAccount = new k8s.KubeServiceAccount(this, 'service-account', {
      metadata,
      automountServiceAccountToken: false,
    });
    this.node.addDependency(this.namespace);
    this.connections = new Connections(this, 'connections', { name: this.name, namespace: this.namespace });
    this.object = this.#object(props, { ...metadata, ...rereads });
    this.object.addDependency(this.serviceAccount, this.connections);
    for (const config of configOf(props)) this.object.addDependency(config.object);
    for (const secret of secretsOf(props)) if (Construct.isConstruct(secret)) this.object.addDependency(secret);
    const priority = priorityOf(this);
    if (priority !== undefined) this.object.addDependency(priority);
    this.service = props.runs.kind === 'daemon-set' ? undefined : this.#service(props, metadata);
  }

  /** Its DNS name inside the cluster. */
  get host(): string {
    return hostOf(this.name, this.namespace.name);
  }

  /** These ports of it, as the other end of a connection. @throws Error for a port that it has not */
  peer(...names: readonly string[]): Peer {
    return { kind: 'endpoint', endpoint: this, ports: names.map((name) => this.portOf(name)) };
  }

  /** Number of one of its ports. @throws Error for a port that it has not */
  portOf(name: string): number {
    const port = this.ports[name];
    if (port !== undefined) return port;
    throw new Error(`${this.node.path} has no port ${name}: ${Object.keys(this.ports).join(', ')}`);
  }

  /** `http://HOST:PORT` inside the cluster. @throws Error for a port that it has not */
  url(port: string): string {
    return `http://${this.host}:${this.portOf(port)}`;
  }

  /** Opens connections to these peers, at both ends. */
  reach(...peers: readonly Peer[]): void {
    for (const peer of peers) connect(this, peer);
  }

  /** Lets these peers in, where the other end is no workload of this tree. */
  admit(...peers: readonly Peer[]): void {
    for (const peer of peers) this.connections.admit(peer);
  }

  /** More variables and mounts of its Pods. A variable that they have already stays, or becomes a list of both. */
  add({ env = [], mounts = [] }: { readonly env?: readonly k8s.EnvVar[]; readonly mounts?: readonly Mount[] }): void {
    this.#env.push(...env);
    this.#mounts.push(...mounts);
  }

  /** Its Pods start after these are ready. */
  after(...others: readonly IConstruct[]): void {
    this.object.addDependency(...others);
  }

  #object(props: WorkloadProps, metadata: k8s.ObjectMeta): Workload['object'] {
    const { runs } = props;
    const selector = { matchLabels: { ...selectorOf(this.name) } };
    const template = (): k8s.PodTemplateSpec => {
      const [claimed] = runs.kind === 'stateful-set' ? [] : claimsOf(props);
      if (claimed !== undefined) {
        throw new Error(
          `${this.node.path} is a ${runs.kind} and has the claim ${claimed.metadata?.name}: only a stateful-set keeps claims`,
        );
      }
      const config = configOf(props);
      return {
        metadata: {
          labels: { ...labelsOf(this.name), ...props.labels },
          ...(config.length === 0 ? {} : { annotations: { [CHECKSUM_ANNOTATION]: checksumOf(config) } }),
        },
        spec: podSpec(this.name, props, {
          namespace: this.namespace,
          everywhere: runs.kind === 'daemon-set',
          priority: priorityOf(this)?.name,
          spread: {
            ...(runs.kind === 'deployment' ? placed(this, this.name) : {}),
            ...(areMembers(runs) ? apart(this, this.name) : {}),
            ...quickNames(this),
          },
        }),
      };
    };
    switch (runs.kind) {
      case 'daemon-set':
        return new k8s.KubeDaemonSet(this, 'daemon-set', {
          metadata,
          spec: lazy(() => ({ selector, template: template() })),
        });
      case 'deployment':
        return new k8s.KubeDeployment(this, 'deployment', {
          metadata,
          spec: lazy(() => ({
            replicas: runs.replicas,
            revisionHistoryLimit: 3,
            progressDeadlineSeconds: 600,
            strategy: runs.recreate === true ? { type: 'Recreate' } : noGap(),
            selector,
            template: template(),
          })),
        });
      case 'stateful-set':
        return new k8s.KubeStatefulSet(this, 'stateful-set', {
          metadata,
          spec: lazy(() => {
            const claims = claimsOf(props);
            return {
              serviceName: this.name,
              replicas: runs.replicas,
              ...(areMembers(runs) ? { podManagementPolicy: 'Parallel' } : {}),
              selector,
              template: template(),
              ...(claims.length === 0 ? {} : { volumeClaimTemplates: [...claims] }),
            };
          }),
        });
    }
  }

  #service(props: WorkloadProps, metadata: k8s.ObjectMeta): k8s.KubeService {
    const annotations = props.serviceAnnotations ?? {};
    const service = new k8s.KubeService(this, 'service', {
      metadata: Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations },
      spec: {
        selector: { ...selectorOf(this.name) },
        ports: Object.entries(this.ports)
          .filter(([name]) => !(props.podPorts ?? []).includes(name))
          .map(([name, port]) => ({ name, port, targetPort: k8s.IntOrString.fromString(name) })),
        ...props.service,
      },
    });
    if (props.runs.kind !== 'deployment' && !areMembers(props.runs)) return service;
    // Present at any number of replicas, so that a changed number is one update; with one replica it permits a drain.
    new k8s.KubePodDisruptionBudget(this, 'disruption-budget', {
      metadata,
      spec: {
        selector: { matchLabels: { ...selectorOf(this.name) } },
        maxUnavailable: k8s.IntOrString.fromNumber(1),
      },
    });
    return service;
  }
}

const areMembers = (runs: WorkloadProps['runs']): boolean => runs.kind === 'stateful-set' && runs.members === true;

/** Variables that hold a list of paths, by commas. */
const LISTS = ['KC_TRUSTSTORE_PATHS'];

function withMore(env: readonly k8s.EnvVar[], more: readonly k8s.EnvVar[]): readonly k8s.EnvVar[] {
  const added = more.filter(({ name }) => !env.some((each) => each.name === name));
  const own = env.map((each) => {
    const same = LISTS.includes(each.name) ? more.find(({ name }) => name === each.name) : undefined;
    return same === undefined ? each : { ...each, value: `${each.value},${same.value}` };
  });
  return [...own, ...added];
}

const noGap = (): k8s.DeploymentStrategy => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge: k8s.IntOrString.fromNumber(1), maxUnavailable: k8s.IntOrString.fromNumber(0) },
});

function claimsOf(props: WorkloadPod): readonly k8s.KubePersistentVolumeClaimProps[] {
  return (props.mounts?.() ?? []).flatMap(({ name, claim }) =>
    claim === undefined
      ? []
      : [
          {
            metadata: { name },
            spec: {
              accessModes: ['ReadWriteOnce'],
              resources: { requests: { storage: k8s.Quantity.fromString(claim.size) } },
              ...(claim.storageClass === undefined ? {} : { storageClassName: claim.storageClass }),
            },
          },
        ],
  );
}
