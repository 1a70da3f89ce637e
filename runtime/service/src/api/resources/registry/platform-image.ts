import { isSameRegistry, registryOf, splitReference } from '@delos/core';
import type { ApiSettings } from '../../deps.ts';

/** Host and port of the platform's own registry, as image names have it; undefined where there is none. */
export const ownRegistry = ({
  registry,
  publicUrl,
}: Pick<ApiSettings, 'registry' | 'publicUrl'>): string | undefined =>
  registry === undefined ? undefined : new URL(publicUrl).host;

/** @returns the repository of an image in the platform's own registry; undefined for any other image */
export function ownRepository(
  settings: Pick<ApiSettings, 'registry' | 'publicUrl'>,
  image: string,
): string | undefined {
  const own = ownRegistry(settings);
  const registry = registryOf(image);
  if (own === undefined || !isSameRegistry(own, registry)) return undefined;
  return splitReference(image).name.slice(registry.length + 1);
}
