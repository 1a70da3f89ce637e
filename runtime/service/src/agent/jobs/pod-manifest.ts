import {
  CLUSTER_LABEL,
  FILE_STORAGE_USER,
  HTTP_PORT_LABEL,
  JOB_DISK,
  JOB_LABEL,
  type JobDesire,
  type JobPodSpec,
  MANAGED_BY,
  ORG_LABEL,
  OWNER_ANNOTATION,
  POOL_LABEL,
  PRESET_LABEL,
  PRIORITY_CLASSES,
  PROJECT_LABEL,
  REGISTRY_SECRET_ANNOTATION,
  RUN_LABEL,
} from '@delos/core';
import { CONTAINER } from '../container-name.ts';
import { filesName } from '../files/project-files.ts';
import { podName } from '../job-name.ts';
import { jobSecretName, secretFiles, secretVariables } from './job-secrets.ts';
import { pullSecretName } from './pull-secret.ts';
import { NO_WAY_OUT, type WayOut, wayOutEnv, wayOutVolumes } from './way-out.ts';

const RESTART = { never: 'Never', 'on-failure': 'OnFailure', always: 'Always' } as const;

/**
 * A job as a Pod, on nodes of its pool; of the only pool those without a label are too. No deadline is written here: a life-span may be prolonged, a Pod's deadline only shortened; the
 * scheduler ends the job in time, and the agent does where the scheduler does not.
 */
export function podManifest(
  job: JobDesire,
  cluster: string,
  onlyPool: string | undefined,
  wayOut: WayOut = NO_WAY_OUT,
): Readonly<Record<string, unknown>> {
  const { id: jobId, spec: desired } = job;
  const { pod: spec } = desired;
  const memory = String(spec.resources.memory);
  const { disk = JOB_DISK } = spec.resources;
  const devices = Object.fromEntries(
    Object.entries(spec.resources.extended).map(([name, count]) => [name, String(count)]),
  );
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: jobId,
      namespace: spec.namespace,
      labels: {
        ...MANAGED_BY,
        [JOB_LABEL]: jobId,
        [RUN_LABEL]: String(desired.run),
        [CLUSTER_LABEL]: cluster,
        [ORG_LABEL]: spec.org,
        [PROJECT_LABEL]: spec.project,
        [PRESET_LABEL]: spec.presetName,
        ...(spec.httpPort === null ? {} : { [HTTP_PORT_LABEL]: String(spec.httpPort) }),
      },
      annotations: {
        [OWNER_ANNOTATION]: spec.owner,
        ...(desired.registryAuth === undefined ? {} : { [REGISTRY_SECRET_ANNOTATION]: desired.registryAuth.secret }),
      },
    },
    spec: {
      ...podName(jobId, spec),
      restartPolicy: RESTART[spec.restartPolicy],
      terminationGracePeriodSeconds: desired.graceSeconds,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...placement(spec, onlyPool),
      priorityClassName: PRIORITY_CLASSES[spec.priority],
      tolerations: deviceTolerations(spec),
      securityContext: podSecurity(spec),
      ...imagePullSecrets(job),
      containers: [
        {
          name: CONTAINER,
          image: spec.image,
          ...(spec.entrypoint === null ? {} : { command: spec.entrypoint.map(literal) }),
          ...(spec.command === null ? {} : { args: spec.command.map(literal) }),
          ...(spec.workingDir === null ? {} : { workingDir: spec.workingDir }),
          env: environment(job, wayOut),
          tty: spec.tty,
          // Open for the whole run, attached or not: whoever attaches later can still type.
          stdin: true,
          ...(spec.httpPort === null ? {} : { ports: [{ name: 'http', containerPort: spec.httpPort }] }),
          resources: {
            // Memory is what it gets and no more; cores are shares of the node, so that idle ones are not wasted.
            // Disk is asked for in small: a kubelet short of it ends first whoever has taken more than was asked for.
            requests: {
              cpu: cores(spec.resources.cpu),
              memory,
              'ephemeral-storage': String(Math.min(disk, ASKED_DISK)),
              ...devices,
            },
            limits: { memory, 'ephemeral-storage': String(disk), ...devices },
          },
          securityContext: containerSecurity(spec),
          terminationMessagePolicy: 'File',
          ...volumeMounts(job, wayOut),
        },
      ],
      ...volumes(job, wayOut),
    },
  };
}

function imagePullSecrets(job: JobDesire): Readonly<Record<string, unknown>> {
  const { pull, registryAuth } = job.spec;
  const names = [
    ...(pull === undefined ? [] : [pullSecretName(pull)]),
    ...(registryAuth === undefined ? [] : [jobSecretName(job, 'pull')]),
  ];
  return names.length === 0 ? {} : { imagePullSecrets: names.map((name) => ({ name })) };
}

/** The group that may write to a job's disks, whatever user its image has. Above all groups of people. */
const DISK_GROUP = 60690;

function volumes(job: JobDesire, wayOut: WayOut): Readonly<Record<string, unknown>> {
  const { namespace, resources, disks = [], files = [] } = job.spec.pod;
  const shm = { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: String(resources.memory) } };
  const names = [...disks.map(({ disk }) => disk), ...files.map((mount) => filesName(namespace, mount))];
  const claims = [...new Set(names)].map((claimName) => ({
    name: claimName,
    persistentVolumeClaim: { claimName },
  }));
  const all = [
    ...(resources.shm ? [shm] : []),
    ...claims,
    ...secretFiles(job).volumes,
    ...wayOutVolumes(wayOut).volumes,
  ];
  return all.length === 0 ? {} : { volumes: all };
}

function volumeMounts(job: JobDesire, wayOut: WayOut): Readonly<Record<string, unknown>> {
  const { namespace, resources, disks = [], files = [] } = job.spec.pod;
  const shm = { name: 'shm', mountPath: '/dev/shm' };
  const mounts = disks.map(({ disk: name, path: mountPath, readOnly }) => ({ name, mountPath, readOnly }));
  const folders = files.map((mount) => ({
    name: filesName(namespace, mount),
    mountPath: mount.path,
    readOnly: mount.readOnly,
    // The kubelet opens it step by step from the project's folder, where the volume begins.
    ...(mount.source === '' ? {} : { subPath: mount.source }),
  }));
  const all = [
    ...(resources.shm ? [shm] : []),
    ...mounts,
    ...folders,
    ...secretFiles(job).mounts,
    ...wayOutVolumes(wayOut).mounts,
  ];
  return all.length === 0 ? {} : { volumeMounts: all };
}

/** Bytes of local disk that a job asks for, whatever it may use. */
const ASKED_DISK = 64 * 2 ** 20;

/** The most that a preference can weigh: kube-scheduler spreads Pods otherwise, over nodes that are kept for large jobs. */
const PLANNED_NODE_WEIGHT = 100;

function placement({ pool, node }: JobPodSpec, onlyPool: string | undefined): Readonly<Record<string, unknown>> {
  const planned = {
    weight: PLANNED_NODE_WEIGHT,
    preference: { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] },
  };
  const preferred = node === null ? {} : { preferredDuringSchedulingIgnoredDuringExecution: [planned] };
  if (pool !== onlyPool) {
    return {
      nodeSelector: { [POOL_LABEL]: pool },
      ...(node === null ? {} : { affinity: { nodeAffinity: preferred } }),
    };
  }
  // Terms are alternatives.
  const nodeSelectorTerms = [
    { matchExpressions: [{ key: POOL_LABEL, operator: 'In', values: [pool] }] },
    { matchExpressions: [{ key: POOL_LABEL, operator: 'DoesNotExist' }] },
  ];
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return { affinity: { nodeAffinity: { ...required, ...preferred } } };
}

/** Kubernetes expands `$(NAME)` and makes `$$` one `$`; the user's text is meant as it is. */
function literal(text: string): string {
  return text.replaceAll('$', () => '$$');
}

function environment(job: JobDesire, wayOut: WayOut): readonly Readonly<Record<string, unknown>>[] {
  const { id, spec } = job;
  const secret = secretVariables(job);
  const own = new Set(secret.map(({ name }) => name));
  const plain = Object.entries({ ...wayOutEnv(wayOut), NEURO_JOB_ID: id, ...spec.pod.env });
  return [
    ...plain.filter(([name]) => !own.has(name)).map(([name, value]) => ({ name, value: literal(value) })),
    ...secret,
  ];
}

function cores(cpu: number): string {
  return `${Math.max(1, Math.round(cpu * 1000))}m`;
}

/** Nodes with devices are commonly tainted by the device's name. */
function deviceTolerations(spec: JobPodSpec): readonly Readonly<Record<string, string>>[] {
  return Object.keys(spec.resources.extended).map((key) => ({ key, operator: 'Exists' }));
}

function podSecurity(spec: JobPodSpec): Readonly<Record<string, unknown>> {
  const group = {
    ...(spec.disks === undefined ? {} : { fsGroup: DISK_GROUP, fsGroupChangePolicy: 'OnRootMismatch' }),
    // Whatever user its image has: with the group it reads and writes what others of the project make.
    ...(spec.files === undefined ? {} : { supplementalGroups: [FILE_STORAGE_USER] }),
  };
  if (spec.security === 'privileged') return group;
  return {
    ...group,
    seccompProfile: { type: 'RuntimeDefault' },
    ...(spec.security === 'restricted' ? { runAsNonRoot: true } : {}),
  };
}

function containerSecurity(spec: JobPodSpec): Readonly<Record<string, unknown>> {
  switch (spec.security) {
    case 'privileged':
      return { privileged: true };
    case 'baseline':
      return { allowPrivilegeEscalation: false };
    case 'restricted':
      return { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  }
}
