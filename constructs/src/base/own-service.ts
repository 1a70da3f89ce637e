import { joinOf } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { allowedRegistries } from '../allowed-registries.ts';
import { DNS } from './connections.ts';
import { type Mount, scratch } from './mount.ts';
import { PORTS } from './names.ts';
import { OWN_PROBES } from './probes.ts';
import { env } from './secret-folder.ts';
import { partOf } from './sections/resources-section.ts';
import type { ServiceDescriptor, Site } from './service.ts';
import { Workload, type WorkloadProps } from './workload.ts';

const HEAP = 160 / 256;

/** Program of the runtime image, one for each service. */
export const runs = (program: string): readonly string[] => ['node', '/app/delos-runtime.mjs', program];

/** `HOST[:PORT]` of registries that jobs may use wherever they are. @param own the platform's own one, where it has one */
export const allowedRegistriesEnv = (
  { config, context }: Pick<Site<unknown>, 'config' | 'context'>,
  own: readonly string[],
): k8s.EnvVar =>
  env(
    'DELOS_ALLOWED_REGISTRIES',
    [...new Set([...allowedRegistries(config, context.images), ...own])].sort().join(','),
  );

/** A workload of the runtime image: metrics and health on the port `internal`, settings that all of ours have, DNS. */
export function ownWorkload(
  scope: Construct,
  descriptor: Pick<ServiceDescriptor, 'name' | 'user' | 'onNodes'>,
  at: Pick<Site<unknown>, 'namespace' | 'image' | 'resources' | 'userNamespaces' | 'config' | 'publicUrl'>,
  props: Pick<WorkloadProps, 'runs' | 'command' | 'before' | 'groups' | 'kubernetesToken'> & {
    readonly env: () => readonly k8s.EnvVar[];
    readonly mounts: () => readonly Mount[];
    /** Beside `internal`. @default none */
    readonly ports?: Readonly<Record<string, number>>;
  },
): Workload {
  const workload = new Workload(scope, 'workload', {
    ...props,
    name: descriptor.name,
    namespace: at.namespace,
    image: at.image,
    rereadsSecrets: true,
    user: descriptor.user,
    resources: at.resources,
    // Folders of the node are not mounted into a user namespace.
    userNamespace: at.userNamespaces && descriptor.onNodes !== true,
    ports: { ...props.ports, internal: PORTS.internal },
    probes: OWN_PROBES,
    mounts: () => [scratch('tmp', '/tmp', '64Mi'), ...props.mounts()],
    env: () => [
      env('DELOS_CLUSTER', joinOf(at.config)?.cluster ?? at.config.cluster.name),
      env('DELOS_PUBLIC_URL', at.publicUrl),
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      // Well below the limit: buffers live outside the heap.
      env('NODE_OPTIONS', `--max-old-space-size=${partOf(at.resources.memoryLimit, HEAP)} --max-semi-space-size=4`),
      ...props.env(),
    ],
  });
  workload.reach(DNS);
  return workload;
}
