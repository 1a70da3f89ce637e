import { createHash } from 'node:crypto';
import { type FileMount, type FileVolumeSource, type JobPodSpec, MANAGED_BY, PROJECT_FILES_PREFIX } from '@delos/core';
import { isKubeError, type KubeClient } from '@delos/kube';
import { z } from 'zod';

type Manifest = Readonly<Record<string, unknown>>;

/** Whose files a namespace shall see. */
export type FilesOf = Pick<FileMount, 'org' | 'project'>;

/** Name of the volume, of its claim, and of the volume in a Pod. */
export function filesName(namespace: string, { org, project }: FilesOf): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([namespace, org, project]))
    .digest('hex');
  return `${PROJECT_FILES_PREFIX}${digest.slice(0, 16)}`;
}

/**
 * The folder of one project, as a volume for one namespace. The volume begins at the project's folder and not above it: the kubelet
 * follows links on the way to a part of a volume as long as they stay in the volume.
 */
export function filesVolume(namespace: string, of: FilesOf, source: FileVolumeSource): readonly [Manifest, Manifest] {
  const name = filesName(namespace, of);
  const labels = { ...MANAGED_BY };
  const folder = `/${of.org}/${of.project}`;
  const shared = { accessModes: ['ReadWriteMany'], storageClassName: '', volumeMode: 'Filesystem' };
  const from =
    source.kind === 'directory'
      ? { hostPath: { path: `${source.path}${folder}`, type: 'Directory' } }
      : {
          nfs: { server: source.server, path: `${source.path}${folder}` },
          ...(source.mountOptions.length === 0 ? {} : { mountOptions: source.mountOptions }),
        };
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name, labels },
      spec: {
        ...shared,
        ...from,
        // A note: it is the project's part of what the storage has.
        capacity: { storage: '1Gi' },
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace, labels },
      spec: { ...shared, volumeName: name, resources: { requests: { storage: '1Gi' } } },
    },
  ];
}

/**
 * Makes volumes and claims of projects' files that a job asks for, where they are not there. They stay: the next job has them at once.
 * @throws KubeError; Error where this cluster has no file storage
 */
export async function provideFiles(
  client: KubeClient,
  source: FileVolumeSource | undefined,
  { namespace, files = [] }: Pick<JobPodSpec, 'namespace' | 'files'>,
): Promise<void> {
  const wanted = new Map(files.map((mount) => [filesName(namespace, mount), mount]));
  for (const [name, mount] of wanted) {
    if (source === undefined) throw new Error('this cluster has no file storage that jobs can mount');
    const [volume, claim] = filesVolume(namespace, mount, source);
    const path = `${VOLUMES}/${name}`;
    if (!(await create(client, VOLUMES, volume))) {
      const found = seen.parse(await client.get(path));
      // Its claim went with the namespace. Nobody else's may have it, and it is made again.
      if (found.status.phase === 'Released') {
        await client.delete(path, { apiVersion: 'v1', kind: 'DeleteOptions' });
        await create(client, VOLUMES, volume);
      }
    }
    await create(client, `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, claim);
  }
}

const VOLUMES = '/api/v1/persistentvolumes';
const seen = z.object({ status: z.object({ phase: z.string().default('') }).prefault({}) });

/** False where there is one of its name. */
async function create(client: KubeClient, path: string, manifest: Manifest): Promise<boolean> {
  try {
    await client.create(path, manifest);
    return true;
  } catch (error) {
    if (!isKubeError(error, 409)) throw error;
    return false;
  }
}
