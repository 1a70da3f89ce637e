import { MIRROR_HOST } from '@delos/artifacts';
import { ANY_REGISTRY, type PlatformConfig, registryOf } from '@delos/core';

/**
 * `HOST[:PORT]` of registries that jobs may use wherever they are: the configuration's, and by construction those that
 * the platform's own images come from, the site's mirrors, and the registries that have a mirror.
 */
export function allowedRegistries(config: PlatformConfig, images: Readonly<Record<string, string>>): readonly string[] {
  const { registry, allowedRegistries: asked, mirrors } = config.images;
  const [host] = registry?.split('/') ?? [];
  const own = [...Object.values(images).map(registryOf), ...(host === undefined ? [] : [host])];
  const site = mirrors.flatMap(({ registry: of, url }) => [...(of === ANY_REGISTRY ? [] : [of]), hostOf(url)]);
  return [...new Set([MIRROR_HOST, ...own, ...site, ...asked])].sort();
}

/** Image names mean port 443 where they say none, also where the mirror is asked by http. */
function hostOf(mirror: string): string {
  const { host, protocol } = new URL(mirror);
  return protocol === 'http:' && !/:\d+$/.test(host) ? `${host}:80` : host;
}
