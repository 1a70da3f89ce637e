import type { ClusterHandle } from '@delos/cluster';
import { type DelosConfig, serviceImages, withFileStorage } from '@delos/constructs';
import type { StandIn } from '@delos/core';
import type { CommandContext } from '../context.ts';

export interface PlatformImages {
  /** Catalogue name → the reference that the nodes pull. */
  readonly images: Readonly<Record<string, string>>;
  /** Stand-ins that answer on this cluster. */
  readonly standIns: readonly StandIn[];
}

/**
 * Makes the images and brings them to where the cluster's nodes look for them. It does nothing twice.
 * @param later names of those that are left out for now
 */
export async function provideImages(
  context: CommandContext,
  config: DelosConfig,
  handle: ClusterHandle,
  later: readonly string[] = [],
): Promise<PlatformImages> {
  if (config.images.source === 'site') return atSite(context, config, handle, later);
  const { ensureImages, loadImages, pushImages } = await import('@delos/cluster');
  const { paths, progress } = context;
  const images = await ensureImages(optionsOf(context, config, handle, later), progress);
  const { images: way } = handle;
  const standIns = await standInsOf(context, config, handle);
  switch (way.kind) {
    case 'registry':
      return { images: await pushImages(images, way.registry, { paths }, progress), standIns };
    case 'load':
      await loadImages(images, (archive) => way.load(archive), { paths }, progress);
      return { images, standIns };
    case 'mirror':
      return { images, standIns };
    case 'upstream':
      progress.warn(
        'images.registry is not set: the images that are built here reach the nodes only if their containerd asks this mirror',
      );
      return { images, standIns };
  }
}

/** What `provideImages` would give. Sends nothing to the cluster. */
export async function expectedImages(
  context: CommandContext,
  config: DelosConfig,
  handle: ClusterHandle,
): Promise<PlatformImages> {
  if (config.images.source === 'site') return atSite(context, config, handle);
  const { inRegistry, listImages } = await import('@delos/cluster');
  const listed = await listImages(optionsOf(context, config, handle));
  const { images: way } = handle;
  const images = Object.fromEntries(
    listed.map(({ name, reference }) => [
      name,
      way.kind === 'registry' ? inRegistry(reference, way.registry) : reference,
    ]),
  );
  return { images, standIns: await standInsOf(context, config, handle) };
}

/** What a bundle has brought: its names are told, and nothing is made or sent. */
async function atSite(
  context: CommandContext,
  config: DelosConfig,
  handle: ClusterHandle,
  later: readonly string[] = [],
): Promise<PlatformImages> {
  const { siteImages } = await import('./site-images.ts');
  return { images: await siteImages(config, optionsOf(context, config, handle, later), context.signal), standIns: [] };
}

/** Stand-ins are served by the mirror alone. They must not get into the registry of somebody else. */
async function standInsOf(
  context: CommandContext,
  config: DelosConfig,
  handle: ClusterHandle,
): Promise<readonly StandIn[]> {
  const { listImages } = await import('@delos/cluster');
  if (handle.images.kind !== 'mirror' || !handle.images.standIns) return [];
  const listed = await listImages(optionsOf(context, config, handle));
  return listed.flatMap(({ name, answers, standIn, digest }) =>
    standIn === null || digest === null ? [] : [{ name, answers: [...answers], standIn, digest }],
  );
}

function optionsOf(context: CommandContext, config: DelosConfig, handle: ClusterHandle, later: readonly string[] = []) {
  return {
    root: context.root,
    paths: context.paths,
    source: builtBy(config),
    standIns: config.images.source !== 'site' && config.images.standIns && handle.images.kind === 'mirror',
    leaveOut: [...serviceImages(withFileStorage(config, handle.fileFolder)).unwanted, ...later],
  };
}

/** As images are planned: those that a bundle brings are those that are built where it is made. */
export const builtBy = ({ images: { source } }: DelosConfig): 'auto' | 'upstream' | 'local' =>
  source === 'site' ? 'local' : source;
