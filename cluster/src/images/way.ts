import type { BuildableImage, CatalogueImage } from '@delos/artifacts';
import { DelosError } from '@delos/core';

/** How an image is had: as its makers publish it, or built here. */
export type Way =
  | { readonly kind: 'published'; readonly reference: string }
  | { readonly kind: 'built'; readonly image: BuildableImage };

/**
 * @param source `upstream`: what is published is pulled, only ours are built
 * @throws DelosError ERR_IMAGE_UNKNOWN for one that is neither published nor can be built
 */
export function wayTo(image: CatalogueImage, source: 'auto' | 'upstream' | 'local'): Way {
  const { upstream, build, role } = image;
  if (upstream !== null && (build === null || (source === 'upstream' && role === 'service'))) {
    return { kind: 'published', reference: upstream };
  }
  if (build !== null) return { kind: 'built', image: { ...image, build } };
  throw new DelosError('ERR_IMAGE_UNKNOWN', `image ${image.name} is neither published nor can it be built here`);
}
