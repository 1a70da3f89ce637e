import { JOB_SECRET_KEY, type JobDesire, MANAGED_BY } from '@delos/core';

/*
 * The secrets of a job in its cluster: one Secret for each, named by the run, owned by the run's Pod and so gone with it. The
 * Pod comes first, since nothing can be owned by what is not there; the kubelet waits with the container for its Secrets.
 */

type Manifest = Readonly<Record<string, unknown>>;

export const jobSecretName = (job: Pick<JobDesire, 'id' | 'spec'>, which: number | 'pull'): string =>
  `${job.id}-r${job.spec.run}-${which}`;

/** @returns why the job cannot have one of its secrets; undefined where it can have all */
export function secretProblem({ spec: { secretValues = [] } }: JobDesire): string | undefined {
  return secretValues.flatMap((held) => ('problem' in held ? [held.problem] : []))[0];
}

/** The Secrets of a run whose Pod is there. */
export function secretManifests(job: JobDesire, podUid: string): readonly Manifest[] {
  const { secretValues = [], registryAuth, pod } = job.spec;
  const owned = (name: string, type: string, data: Manifest): Manifest => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: pod.namespace,
      labels: { ...MANAGED_BY },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: job.id, uid: podUid }],
    },
    type,
    immutable: true,
    data,
  });
  const values = secretValues.flatMap((held, index) =>
    'problem' in held ? [] : [owned(jobSecretName(job, index), 'Opaque', { [JOB_SECRET_KEY]: held.value })],
  );
  if (registryAuth === undefined) return values;
  const config = Buffer.from(registryAuth.config).toString('base64');
  const pull = owned(jobSecretName(job, 'pull'), 'kubernetes.io/dockerconfigjson', { '.dockerconfigjson': config });
  return [pull, ...values];
}

/** Variables of the container that hold secrets. */
export function secretVariables(job: JobDesire): readonly Manifest[] {
  return (job.spec.pod.secrets ?? []).flatMap(({ env }, index) =>
    env.map((name) => ({
      name,
      valueFrom: { secretKeyRef: { name: jobSecretName(job, index), key: JOB_SECRET_KEY } },
    })),
  );
}

/** Files of the container that hold secrets. Any user of the image may read them. */
export function secretFiles(job: JobDesire): {
  readonly volumes: readonly Manifest[];
  readonly mounts: readonly Manifest[];
} {
  const withFiles = (job.spec.pod.secrets ?? []).flatMap(({ files }, index) =>
    files.length === 0 ? [] : [{ files, index, name: `secret-${index}` }],
  );
  return {
    volumes: withFiles.map(({ index, name }) => ({
      name,
      secret: { secretName: jobSecretName(job, index), defaultMode: 0o444 },
    })),
    mounts: withFiles.flatMap(({ files, name }) =>
      files.map((mountPath) => ({ name, mountPath, subPath: JOB_SECRET_KEY, readOnly: true })),
    ),
  };
}
