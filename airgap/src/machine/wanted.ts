import { CLIENTS, type ToolName } from '@delos/artifacts';
import { ADDON_IMAGES, listImages, missingOsPackages, toolchain, tryOsRelease } from '@delos/cluster';
import { type DelosConfig, engineContext, serviceImages, withFileStorage } from '@delos/constructs';
import type { InstancePaths } from '@delos/core';
import { PACKAGES_INDEX } from '../content/debian.ts';
import { toolItem } from '../content/tools.ts';
import type { BundleIndex } from '../format/index-schema.ts';

/** Programs that an installation starts, whatever its services are. */
const RUN: readonly ToolName[] = ['kube', 'pulumi', 'registry', 'crane', 'cni-gate', 'runc-guard'];
const OF_THE_NODE: readonly string[] = ADDON_IMAGES;

export interface WantedOptions {
  readonly config: DelosConfig;
  /** Root of the checkout. */
  readonly root: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
}

/**
 * Names what an installation needs and the bundle lacks. A bundle of another checkout lacks tools and images: their keys follow from the
 * pins and sources of the checkout.
 */
export async function lackingIn({ items }: BundleIndex, options: WantedOptions): Promise<readonly string[]> {
  const { config, root, paths } = options;
  const listed = new Set(items.map(({ kind, name }) => `${kind} ${name}`));
  const keys = new Map(items.flatMap(({ kind, name, about }) => (kind === 'tool' ? [[name, about?.key]] : [])));
  const lacking: string[] = [];
  for (const tool of RUN) {
    const name = toolItem(tool);
    const key = await toolchain().key(tool);
    if (!keys.has(name)) lacking.push(`tool ${name}`);
    else if (keys.get(name) !== key) lacking.push(`tool ${name} of these sources (${key})`);
  }
  const embedded = withFileStorage(config, engineContext(config, 'embedded').fileFolder);
  const images = await listImages({
    ...{ root, paths },
    source: 'local',
    standIns: config.images.standIns,
    leaveOut: serviceImages(embedded).unwanted.filter((name) => !OF_THE_NODE.includes(name)),
  });
  for (const { reference } of images) if (!listed.has(`image ${reference}`)) lacking.push(`image ${reference}`);
  const packages = await missingOsPackages('node');
  if (packages.length > 0) {
    const codename = (await tryOsRelease())?.codename ?? 'unknown';
    if (!listed.has(`deb ${codename}/${PACKAGES_INDEX}`))
      lacking.push(`packages of ${codename}: ${packages.join(', ')}`);
  }
  const client = CLIENTS.cli;
  const wheel = `wheel ${client.project.replaceAll('-', '_')}-${client.version}-`;
  if (![...listed].some((each) => each.startsWith(wheel))) lacking.push(`wheel ${client.project} ${client.version}`);
  return lacking;
}
