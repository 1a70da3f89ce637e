import { k8s } from 'cdk8s-plus-28';
import type { ConfigFiles } from './config-files.ts';
import type { Mount } from './mount.ts';
import type { Namespace } from './namespace.ts';
import type { SecretHandle } from './secret.ts';
import { CONTAINER_SECURITY, podSecurity } from './security.ts';

/** Processor and memory of each Pod. @see https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/ */
export interface Resources {
  /** Cores that are kept for it, as Kubernetes writes them: `100m`. There is no limit: idle cores are lent. */
  readonly cpu: string;
  /** Memory that is kept for it: `128Mi`. */
  readonly memory: string;
  /** Memory that it may use at most. */
  readonly memoryLimit: string;
}

/** A container that runs to its end before the main one, with the same image, environment and mounts. */
export interface Step {
  /** Name of the container, for people. */
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Variables beside the main one's. @default none */
  readonly env?: readonly k8s.EnvVar[];
  /** Mounts beside the main one's; this step alone has them. @default none */
  readonly mounts?: () => readonly Mount[];
  /** Another user than the Pod's. @default the Pod's */
  readonly user?: number;
}

/** How the kubelet asks the main container for its health. @see https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ */
export type Probes = Pick<k8s.Container, 'startupProbe' | 'livenessProbe' | 'readinessProbe'>;

/** The Pod of a workload. */
export interface WorkloadPod {
  /** Reference of the image, as the nodes pull it. */
  readonly image: string;
  /** Program and arguments of the main container. */
  readonly command: readonly string[];
  /** Labels of the Pods, beside those of every Pod. @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** Environment. A secret never goes here: mount it. Asked for when manifests are written. @default none */
  readonly env?: () => readonly k8s.EnvVar[];
  /** Port name → number, in the Pod and of the Service. */
  readonly ports: Readonly<Record<string, number>>;
  /** Names of ports that the Service leaves out. @default none */
  readonly podPorts?: readonly string[];
  /** Folders and files. Asked for when manifests are written. @default none: the root is read-only */
  readonly mounts?: () => readonly Mount[];
  /** Steps that run before the main container, in this order. @default none */
  readonly before?: readonly Step[];
  /** Questions about its health. @default the Pod is ready when its process runs */
  readonly probes?: Probes;
  /** Processor and memory. */
  readonly resources: Resources;
  /** User and group that it runs as: a number that no account of the machine has. */
  readonly user: number;
  /** Further groups whose files it reads. @default none */
  readonly groups?: readonly number[];
  /** Runs in a user namespace of its own, where the nodes have them. @default false */
  readonly userNamespace?: boolean;
  /**
   * It begins as root with two rights, to read files of others and to become another user, and must become `user` at once, keeping the
   * first: for what reads the node's disk. @default false
   */
  readonly readsAllFiles?: boolean;
  /** Its program is marked as one that may listen below port 1024: it is not started without that right. @default false */
  readonly lowPorts?: boolean;
  /**
   * Settings of the kernel for its network, by name: those that Pod Security `restricted` lets a Pod change. @default the node's
   * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/
   */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** Mounts a Kubernetes token. @default false */
  readonly kubernetesToken?: boolean;
  /** Seconds between the polite and the hard end. @default 20 */
  readonly graceSeconds?: number;
  /** Run in the container before it is told to end. @default nothing */
  readonly preStop?: readonly string[];
}

const mountsOf = (props: WorkloadPod): readonly Mount[] => props.mounts?.() ?? [];
const allMounts = (props: WorkloadPod): readonly Mount[] => [
  ...mountsOf(props),
  ...(props.before ?? []).flatMap(({ mounts }) => mounts?.() ?? []),
];
const once = <T>(items: readonly (T | undefined)[]): readonly T[] => [
  ...new Set(items.filter((item): item is T => item !== undefined)),
];

/** Configuration whose change rolls the Pods. */
export const configOf = (props: WorkloadPod): readonly ConfigFiles[] =>
  once(allMounts(props).map(({ config }) => config));

/** Secrets that its containers mount. */
export const secretsOf = (props: WorkloadPod): readonly SecretHandle[] =>
  once(allMounts(props).map(({ secret }) => secret));

/** Where a Pod runs. */
export interface PodPlace {
  /** Its namespace. */
  readonly namespace: Namespace;
  /** On every node, also on those that let nothing else run. */
  readonly everywhere: boolean;
  /** Name of its PriorityClass; undefined for the cluster's default. */
  readonly priority: string | undefined;
  /** What a node that is lost asks of it: how its Pods are spread over nodes, and how they ask for names. @default nothing */
  readonly spread?: Pick<k8s.PodSpec, 'affinity' | 'dnsConfig' | 'topologySpreadConstraints' | 'tolerations'>;
}

/** The one right that Pod Security `restricted` lets a Pod add. */
const LOW_PORTS: k8s.Capabilities = { drop: ['ALL'], add: ['NET_BIND_SERVICE'] };

/** For services that read the node's disk. A container has capabilities as root alone: the second lets it become its own user. */
const READ_ALL: k8s.Capabilities = { drop: ['ALL'], add: ['DAC_READ_SEARCH', 'SETUID'] };

function containerSecurity({ lowPorts, readsAllFiles }: WorkloadPod): k8s.SecurityContext {
  if (readsAllFiles === true)
    return { ...CONTAINER_SECURITY, capabilities: READ_ALL, runAsNonRoot: false, runAsUser: 0 };
  return lowPorts === true ? { ...CONTAINER_SECURITY, capabilities: LOW_PORTS } : CONTAINER_SECURITY;
}

/** The Pod's specification. @throws Error for a Secret of another namespace: no Pod could mount it */
export function podSpec(name: string, props: WorkloadPod, place: PodPlace): k8s.PodSpec {
  for (const secret of secretsOf(props)) {
    if (secret.namespace.name === place.namespace.name) continue;
    throw new Error(
      `${name} runs in the namespace ${place.namespace.name} and cannot mount the Secret ${secret.name} ` +
        `of ${secret.namespace.name}: mount a copy of it (Secret.copy)`,
    );
  }
  const env = props.env?.() ?? [];
  const { cpu, memory, memoryLimit } = props.resources;
  const container = {
    image: props.image,
    imagePullPolicy: 'IfNotPresent',
    securityContext: containerSecurity(props),
    volumeMounts: mountsOf(props).map(volumeMount),
    resources: {
      requests: { cpu: k8s.Quantity.fromString(cpu), memory: k8s.Quantity.fromString(memory) },
      limits: { memory: k8s.Quantity.fromString(memoryLimit) },
    },
  };
  const steps = (props.before ?? []).map((step) => ({
    ...container,
    name: step.name,
    command: [...step.command],
    env: [...env, ...(step.env ?? [])],
    ...(step.user === undefined ? {} : { securityContext: { ...CONTAINER_SECURITY, runAsUser: step.user } }),
    volumeMounts: [...container.volumeMounts, ...(step.mounts?.() ?? []).map(volumeMount)],
  }));
  return {
    serviceAccountName: name,
    automountServiceAccountToken: props.kubernetesToken ?? false,
    enableServiceLinks: false,
    ...(place.priority === undefined ? {} : { priorityClassName: place.priority }),
    terminationGracePeriodSeconds: props.graceSeconds ?? 20,
    securityContext: {
      ...podSecurity(props.user, props.groups),
      ...(props.sysctls === undefined
        ? {}
        : { sysctls: Object.entries(props.sysctls).map(([setting, value]) => ({ name: setting, value })) }),
    },
    ...(props.userNamespace === true ? { hostUsers: false } : {}),
    ...(place.everywhere ? { tolerations: [{ operator: 'Exists' }] } : {}),
    ...place.spread,
    ...(steps.length === 0 ? {} : { initContainers: steps }),
    containers: [
      {
        ...container,
        name,
        command: [...props.command],
        env: [...env],
        ports: Object.entries(props.ports).map(([port, containerPort]) => ({ name: port, containerPort })),
        ...props.probes,
        ...(props.preStop === undefined ? {} : { lifecycle: { preStop: { exec: { command: [...props.preStop] } } } }),
      },
    ],
    volumes: volumes(allMounts(props)),
  };
}

const volumeMount = ({ name, path, subPath, readOnly, follows }: Mount): k8s.VolumeMount => ({
  name,
  mountPath: path,
  ...(subPath === undefined ? {} : { subPath }),
  ...(readOnly === true ? { readOnly } : {}),
  ...(follows === true ? { mountPropagation: 'HostToContainer' } : {}),
});

function volumes(mounts: readonly Mount[]): k8s.Volume[] {
  const byName = new Map<string, k8s.Volume>();
  for (const { name, volume } of mounts) if (volume !== undefined) byName.set(name, { name, ...volume });
  return [...byName.values()];
}
