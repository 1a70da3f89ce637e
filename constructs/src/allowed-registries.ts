import { MIRROR_HOST } from '@delos/artifacts';
import { type PlatformConfig, registryOf } from '@delos/core';

/**
 * `HOST[:PORT]` of registries that jobs may use wherever they are: the configuration's, and by construction those that
 * the platform's own images come from.
 */
export function allowedRegistries(config: PlatformConfig, images: Readonly<Record<string, string>>): readonly string[] {
  const { registry, allowedRegistries: asked } = config.images;
  const [host] = registry?.split('/') ?? [];
  const own = [...Object.values(images).map(registryOf), ...(host === undefined ? [] : [host])];
  return [...new Set([MIRROR_HOST, ...own, ...asked])].sort();
}
