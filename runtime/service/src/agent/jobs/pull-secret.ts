import { createHash } from 'node:crypto';
import { type JobDesire, MANAGED_BY, PULL_SECRET_PREFIX } from '@delos/core';

type Pull = NonNullable<JobDesire['spec']['pull']>;

/** One for each project whose images are used in a namespace, so that there are few and none has to be taken away. */
export function pullSecretName({ org, project }: Pull): string {
  const digest = createHash('sha256').update(`${org}/${project}`).digest('hex');
  return `${PULL_SECRET_PREFIX}${digest.slice(0, 16)}`;
}

/** What a node shows to pull a job's image. @see https://kubernetes.io/docs/concepts/containers/images/#config-json */
export function pullSecret(namespace: string, pull: Pull): Readonly<Record<string, unknown>> {
  const auth = Buffer.from(`token:${pull.password}`).toString('base64');
  const config = JSON.stringify({ auths: { [pull.registry]: { auth } } });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: pullSecretName(pull), namespace, labels: { ...MANAGED_BY } },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  };
}
