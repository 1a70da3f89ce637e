import { DelosError } from '@delos/core';
import { IMAGE_SOURCE_HINT, type ImageSource } from '../../../image-source.ts';
import type { JobRequest } from './request.ts';

/** @throws DelosError ERR_REQUEST where a node must not ask the image's registry */
export async function checkImageSource(request: JobRequest, source: ImageSource): Promise<void> {
  const refused = await source(request.container.image);
  if (refused === undefined) return;
  const nested = 'container' in request.meta;
  throw new DelosError('ERR_REQUEST', refused, {
    where: { field: nested ? 'container.image' : 'image' },
    hint: IMAGE_SOURCE_HINT,
  });
}
