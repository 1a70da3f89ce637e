import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { CHECKSUM_ANNOTATION, checksum } from './checksum.ts';
import { labelsOf, PLATFORM_NAMESPACE, PORTS, PRIORITY_CLASSES, selectorOf } from './names.ts';
import { type Peer, partPolicy } from './network.ts';
import { CONTAINER_SECURITY, podSecurity, SECRET_MODE } from './security.ts';

interface SecretMount {
  readonly name: string;
  readonly mountPath: string;
}

export interface RuntimeServiceProps {
  /** Name of workload, Service, ServiceAccount and policy. */
  readonly name: string;
  /** @default the platform's */
  readonly namespace?: string;
  readonly image: string;
  /** What the container runs. */
  readonly command: readonly string[];
  /** Run to their end before it, same image and environment. @default none */
  readonly init?: readonly {
    readonly name: string;
    readonly command: readonly string[];
    readonly env?: readonly k8s.EnvVar[];
    /** Secrets that this step alone sees. */
    readonly secrets?: readonly SecretMount[];
  }[];
  readonly env: readonly k8s.EnvVar[];
  /** Replicas of a Deployment; `every-node` makes it a DaemonSet. */
  readonly replicas: number | 'every-node';
  /** Ports beside the internal one, by name. @default none */
  readonly ports?: Readonly<Record<string, number>>;
  /** ConfigMaps mounted as folders; a change of their content rolls the Pods. @default none */
  readonly config?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly data: Readonly<Record<string, string>>;
  }[];
  /** Secrets mounted as folders. @default none */
  readonly secrets?: readonly SecretMount[];
  /** Folders of the node, read-only. @default none */
  readonly hostPaths?: readonly string[];
  /** @default 64Mi in requests, 256Mi as limit: no service of ours may need more */
  readonly memory?: { readonly request: string; readonly limit: string };
  /** Mounts a Kubernetes token. @default false */
  readonly kubernetesToken?: boolean;
  /** User and group that it runs as, of core's SERVICE_USERS. */
  readonly user: number;
  /** Further groups whose files it reads. @default none */
  readonly groups?: readonly number[];
  /** Runs in a user namespace of its own. Folders of the node are not mounted into one. @default false */
  readonly userNamespace?: boolean;
  /** @default false: rolled with no gap. True: the old one ends first, since there may be one alone. */
  readonly recreate?: boolean;
  readonly ingress?: readonly Peer[];
  readonly egress?: readonly Peer[];
  /** The Service, where it is more than the ports inside the cluster. */
  readonly service?: Pick<k8s.ServiceSpec, 'type' | 'ports' | 'externalTrafficPolicy'>;
}

/**
 * The one shape of every service of our own: a workload under Pod Security `restricted`, its ServiceAccount, its
 * Service, exactly its connections, metrics and health on the internal port.
 */
export class RuntimeService extends Construct {
  readonly workload: k8s.KubeDeployment | k8s.KubeDaemonSet;
  readonly serviceAccount: k8s.KubeServiceAccount;

  constructor(scope: Construct, id: string, props: RuntimeServiceProps) {
    super(scope, id);
    const namespace = props.namespace ?? PLATFORM_NAMESPACE;
    const metadata = { name: props.name, namespace, labels: { ...labelsOf(props.name) } };
    this.serviceAccount = new k8s.KubeServiceAccount(this, 'service-account', {
      metadata,
      automountServiceAccountToken: false,
    });
    const policy = partPolicy(this, 'policy', {
      name: props.name,
      namespace,
      ingress: props.ingress ?? [],
      egress: props.egress ?? [],
    });
    const template = { metadata: templateMetadata(props), spec: podSpec(props) };
    const selector = { matchLabels: { ...selectorOf(props.name) } };
    this.workload =
      props.replicas === 'every-node'
        ? new k8s.KubeDaemonSet(this, 'daemon-set', { metadata, spec: { selector, template } })
        : new k8s.KubeDeployment(this, 'deployment', {
            metadata,
            spec: {
              replicas: props.replicas,
              revisionHistoryLimit: 3,
              progressDeadlineSeconds: 600,
              strategy: props.recreate === true ? { type: 'Recreate' } : noGap(),
              selector,
              template,
            },
          });
    this.workload.addDependency(this.serviceAccount, policy);
    if (props.replicas !== 'every-node') this.#face(props, metadata, selector);
  }

  #face(props: RuntimeServiceProps, metadata: k8s.ObjectMeta, selector: k8s.LabelSelector): void {
    const ports = Object.entries({ ...props.ports, internal: PORTS.internal });
    new k8s.KubeService(this, 'service', {
      metadata,
      spec: {
        selector: { ...selectorOf(props.name) },
        ports: ports.map(([name, port]) => ({ name, port, targetPort: k8s.IntOrString.fromString(name) })),
        ...props.service,
      },
    });
    // Present at any number of replicas, so that a changed number is one update; with one replica it permits a drain.
    new k8s.KubePodDisruptionBudget(this, 'disruption-budget', {
      metadata,
      spec: { selector, maxUnavailable: k8s.IntOrString.fromNumber(1) },
    });
  }
}

const noGap = (): k8s.DeploymentStrategy => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge: k8s.IntOrString.fromNumber(1), maxUnavailable: k8s.IntOrString.fromNumber(0) },
});

function templateMetadata(props: RuntimeServiceProps): k8s.ObjectMeta {
  const config = props.config ?? [];
  return {
    labels: { ...labelsOf(props.name) },
    ...(config.length === 0
      ? {}
      : { annotations: { [CHECKSUM_ANNOTATION]: checksum(...config.map(({ data }) => data)) } }),
  };
}

function podSpec(props: RuntimeServiceProps): k8s.PodSpec {
  const mounts: k8s.VolumeMount[] = [
    { name: 'tmp', mountPath: '/tmp' },
    ...(props.config ?? []).map(({ name, mountPath }) => ({ name, mountPath, readOnly: true })),
    ...(props.secrets ?? []).map(mountOf),
    ...(props.hostPaths ?? []).map((path) => ({ name: volumeOf(path), mountPath: path, readOnly: true })),
  ];
  const memory = props.memory ?? { request: '64Mi', limit: '256Mi' };
  const container = {
    image: props.image,
    imagePullPolicy: 'IfNotPresent',
    securityContext: CONTAINER_SECURITY,
    volumeMounts: mounts,
    resources: {
      requests: { cpu: k8s.Quantity.fromString('20m'), memory: k8s.Quantity.fromString(memory.request) },
      limits: { memory: k8s.Quantity.fromString(memory.limit) },
    },
  };
  return {
    serviceAccountName: props.name,
    automountServiceAccountToken: props.kubernetesToken ?? false,
    enableServiceLinks: false,
    priorityClassName: PRIORITY_CLASSES.platform,
    terminationGracePeriodSeconds: 20,
    securityContext: podSecurity(props.user, props.groups),
    ...(props.userNamespace === true ? { hostUsers: false } : {}),
    ...(props.replicas === 'every-node' ? { tolerations: [{ operator: 'Exists' }] } : {}),
    ...(props.init === undefined
      ? {}
      : {
          initContainers: props.init.map(({ name, command, env, secrets }) => ({
            ...container,
            name,
            command: [...command],
            env: [...props.env, ...(env ?? [])],
            volumeMounts: [...mounts, ...(secrets ?? []).map(mountOf)],
          })),
        }),
    containers: [
      {
        ...container,
        name: props.name,
        command: [...props.command],
        env: [...props.env],
        ports: Object.entries({ ...props.ports, internal: PORTS.internal }).map(([name, containerPort]) => ({
          name,
          containerPort,
        })),
        ...PROBES,
      },
    ],
    volumes: [
      { name: 'tmp', emptyDir: { sizeLimit: k8s.Quantity.fromString('64Mi') } },
      ...(props.config ?? []).map(({ name }) => ({ name, configMap: { name } })),
      ...secretsOf(props).map((name) => ({ name, secret: { secretName: name, defaultMode: SECRET_MODE } })),
      ...(props.hostPaths ?? []).map((path) => ({ name: volumeOf(path), hostPath: { path, type: 'Directory' } })),
    ],
  };
}

const health = (path: string): k8s.HttpGetAction => ({ path, port: k8s.IntOrString.fromString('internal') });
const PROBES: Pick<k8s.Container, 'startupProbe' | 'livenessProbe' | 'readinessProbe'> = {
  startupProbe: { httpGet: health('/health/live'), periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 180 },
  livenessProbe: { httpGet: health('/health/live'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  readinessProbe: { httpGet: health('/health/ready'), periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3 },
};

const mountOf = ({ name, mountPath }: SecretMount): k8s.VolumeMount => ({ name, mountPath, readOnly: true });
const secretsOf = (props: RuntimeServiceProps): readonly string[] => [
  ...new Set(
    [...(props.secrets ?? []), ...(props.init ?? []).flatMap((step) => step.secrets ?? [])].map((s) => s.name),
  ),
];
const volumeOf = (path: string): string => path.replace(/^\/+/, '').replaceAll('/', '-');
