import type { Check, ClusterHandle, WantedVolume } from '@delos/cluster';
import { classesOf, type DelosConfig, fileVolume, withFileStorage } from '@delos/constructs';
import { type FileStorageSection, isDelosError } from '@delos/core';
import type { CommandContext } from '../context.ts';
import { engineFrom } from './engine.ts';
import { builtBy } from './images.ts';

/** The one image that a check needs: a shell with tools, which every cluster of Delos has. */
const IMAGE = 'local-path-provisioner';

/**
 * Makes, uses and takes away a volume of each kind that the platform will ask for, and looks at devices. The cluster must be up.
 * @throws DelosError ERR_CLUSTER_UNREACHABLE, ERR_IMAGE_BUILD
 */
export async function checkStorage(
  context: CommandContext,
  config: DelosConfig,
  contextName: string | undefined,
): Promise<readonly Check[]> {
  const handle = await tryHandle(context, config, contextName);
  if (handle === undefined) {
    return [
      {
        id: 'storage.cluster',
        ok: false,
        fatal: true,
        code: 'ERR_NOT_UP',
        measured: 'the cluster is not up',
        needed: 'a cluster, to make volumes in',
        fix: '`delos cluster up`, then this again',
      },
    ];
  }
  const { storageChecks } = await import('@delos/cluster');
  context.progress.step('making a volume of each kind, and taking it away again');
  return storageChecks(
    {
      volumes: wantedVolumes(withFileStorage(config, handle.fileFolder), handle),
      made: classesOf(config.storageClasses),
    },
    {
      cluster: { kubeconfig: handle.kubeconfig, context: handle.context },
      image: await provideImage(context, config, handle),
      onThisMachine: handle.kind === 'embedded',
      signal: context.signal,
    },
  );
}

async function tryHandle(
  context: CommandContext,
  config: DelosConfig,
  contextName: string | undefined,
): Promise<ClusterHandle | undefined> {
  try {
    return await (await engineFrom(context, config, contextName)).handle();
  } catch (error) {
    if (isDelosError(error) && error.code === 'ERR_NOT_UP') return undefined;
    throw error;
  }
}

/** Volumes by what makes them: one check for all that one class makes. */
export function wantedVolumes(
  config: DelosConfig,
  handle: Pick<ClusterHandle, 'storageClass' | 'diskClass'>,
): readonly WantedVolume[] {
  const uses = [
    { what: 'the platform', key: 'cluster.storageClass', name: config.cluster.storageClass ?? handle.storageClass },
    { what: 'disks', key: 'disks.storageClass', name: config.disks.storageClass ?? handle.diskClass },
    ...classesOf(config.storageClasses).map(({ name, kind }) => ({
      what: `storageClasses.${kind}`,
      key: `storageClasses.${kind}`,
      name: name === config.storage.claim?.storageClass ? undefined : name,
    })),
  ];
  const byClass = Map.groupBy(
    uses.flatMap(({ name, ...use }) => (name === undefined ? [] : [{ ...use, name }])),
    ({ name }) => name,
  );
  return [
    ...[...byClass].map(([name, all]): WantedVolume => {
      const named = all.filter(({ key }) => !key.startsWith('storageClasses.'));
      const shown = named.length === 0 ? all : named;
      return {
        id: `storage.class.${name}`,
        what: shown.map(({ what }) => what).join(' and '),
        key: shown[0]?.key ?? '',
        source: { kind: 'class', name },
      };
    }),
    ...filesOf(config.storage),
  ];
}

function filesOf(storage: FileStorageSection): readonly WantedVolume[] {
  const where = whereOf(storage);
  if (where === undefined) return [];
  return [
    {
      id: 'storage.files',
      what: 'the file storage',
      key: where.key,
      source: {
        kind: 'volume',
        where: where.words,
        className: storage.claim?.storageClass,
        make: (at) => {
          const made = fileVolume(storage, at);
          if (made === undefined) throw new Error('unreachable');
          return made;
        },
      },
    },
  ];
}

function whereOf({ directory, nfs, csi, claim }: FileStorageSection) {
  if (directory !== undefined) return { key: 'storage.directory', words: `the folder ${directory.path}` };
  if (nfs !== undefined) return { key: 'storage.nfs', words: `${nfs.server}:${nfs.path}` };
  if (csi !== undefined) return { key: 'storage.csi', words: `the volume ${csi.volumeHandle} of ${csi.driver}` };
  if (claim === undefined) return undefined;
  return { key: 'storage.claim.storageClass', words: `a volume of StorageClass ${claim.storageClass}` };
}

async function provideImage(context: CommandContext, config: DelosConfig, handle: ClusterHandle): Promise<string> {
  const { ensureImages, loadImages, pushImages } = await import('@delos/cluster');
  const { paths, progress, root } = context;
  const { images: way } = handle;
  // Nodes that are told nothing pull what is published.
  const source = way.kind === 'upstream' ? 'upstream' : builtBy(config);
  const made = await ensureImages({ names: [IMAGE], root, paths, source, standIns: false }, progress);
  if (way.kind === 'load') await loadImages(made, (archive) => way.load(archive), { paths }, progress);
  const images = way.kind === 'registry' ? await pushImages(made, way.registry, { paths }, progress) : made;
  return images[IMAGE] ?? '';
}
