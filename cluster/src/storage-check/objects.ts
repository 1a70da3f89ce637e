import {
  type ClassData,
  ENFORCE_LABEL,
  FILE_STORAGE_USER,
  MANAGED_BY,
  type SecurityProfile,
  STORAGE_CHECK_LABEL,
} from '@delos/core';

/** User and group of the Pods of a check, whose volumes are no file storage. */
const USER = 60651;
/** Another user of the file storage's group. */
const OTHER_USER = 60652;
/** Pods end by themselves, whoever looks after them. */
const DEADLINE_SECONDS = 600;

/** One run of a check. */
export interface Run {
  /** A few letters and digits, of nobody else. */
  readonly id: string;
  /** Reference of an image that has /bin/busybox. */
  readonly image: string;
}

/** Names of what a run makes. */
export const namespaceOf = ({ id }: Run): string => `delos-storage-check-${id}`;
/** Names of what a run makes. */
export const deviceNamespaceOf = ({ id }: Run): string => `delos-device-check-${id}`;

const labelsOf = ({ id }: Run) => ({ ...MANAGED_BY, [STORAGE_CHECK_LABEL]: id });

/** A namespace of a run. */
export const namespaceObject = (run: Run, name: string, level: SecurityProfile) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { ...labelsOf(run), [ENFORCE_LABEL]: level } },
});

/** Its Pods speak to nobody. */
export const denial = (run: Run, namespace: string) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'default-deny', namespace, labels: labelsOf(run) },
  spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
});

/** A class of Delos, under a name of the run. */
export const classObject = (run: Run, data: ClassData, name: string) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name, labels: labelsOf(run) },
  provisioner: data.provisioner,
  parameters: data.parameters,
  allowVolumeExpansion: data.expands,
  reclaimPolicy: 'Delete',
  volumeBindingMode: data.waitsForPod ? 'WaitForFirstConsumer' : 'Immediate',
});

export const claimObject = (run: Run, name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: namespaceOf(run), labels: labelsOf(run) },
  spec,
});

export const volumeObject = (run: Run, name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, labels: labelsOf(run) },
  spec,
});

/** What a Pod of a check is. */
export interface CheckPod {
  readonly name: string;
  readonly claim: string;
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the file storage: a user of its group. Else the volume is given to the group. */
  readonly shared?: 'owner' | 'other';
  /** It runs on this node. @default any */
  readonly node?: string;
}

const userOf = (shared: CheckPod['shared']) => {
  if (shared === undefined) return { runAsUser: USER, runAsGroup: USER, fsGroup: USER };
  // No fsGroup: a kubelet would change the group of all files that are there.
  return {
    runAsUser: shared === 'owner' ? FILE_STORAGE_USER : OTHER_USER,
    runAsGroup: FILE_STORAGE_USER,
    supplementalGroups: [FILE_STORAGE_USER],
  };
};

/** A Pod is on that node, or nowhere. */
export const onNode = (node: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
    },
  },
});

/** A Pod of a check runs once, and never for long. */
const ONE_RUN = {
  restartPolicy: 'Never',
  activeDeadlineSeconds: DEADLINE_SECONDS,
  terminationGracePeriodSeconds: 5,
  automountServiceAccountToken: false,
  enableServiceLinks: false,
} as const;
const LITTLE = { requests: { cpu: '5m', memory: '16Mi' }, limits: { memory: '64Mi' } } as const;

export const podObject = (run: Run, { name, claim, script, env, shared, node }: CheckPod) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: namespaceOf(run), labels: labelsOf(run) },
  spec: {
    ...ONE_RUN,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' }, ...userOf(shared) },
    ...(node === undefined ? {} : { affinity: onNode(node) }),
    containers: [
      {
        name: 'check',
        image: run.image,
        command: ['/bin/busybox', 'sh', '-c', script],
        env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: LITTLE,
        volumeMounts: [{ name: 'volume', mountPath: '/v' }],
      },
    ],
    volumes: [{ name: 'volume', persistentVolumeClaim: { claimName: claim } }],
  },
});

/** A Pod that reads a node's devices, and nothing else of it. */
export const devicePod = (run: Run, name: string, node: string, script: string, device: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: deviceNamespaceOf(run), labels: labelsOf(run) },
  spec: {
    ...ONE_RUN,
    // Mounts are those of the node's first process.
    hostPID: true,
    tolerations: [{ operator: 'Exists' }],
    affinity: onNode(node),
    containers: [
      {
        name: 'check',
        image: run.image,
        command: ['/bin/busybox', 'sh', '-c', script],
        env: [{ name: 'DEVICE', value: device }],
        securityContext: { privileged: true, runAsUser: 0, readOnlyRootFilesystem: true },
        resources: LITTLE,
        volumeMounts: [{ name: 'dev', mountPath: '/node/dev', readOnly: true }],
      },
    ],
    volumes: [{ name: 'dev', hostPath: { path: '/dev', type: 'Directory' } }],
  },
});
