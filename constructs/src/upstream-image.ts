import { CATALOGUE } from '@delos/artifacts';
import { DelosError } from '@delos/core';

/** The published reference of a catalogue image. @throws DelosError ERR_IMAGE_UNKNOWN for one that is not published */
export function upstreamImage(name: string): string {
  const upstream = CATALOGUE.find((image) => image.name === name)?.upstream;
  if (typeof upstream === 'string') return upstream;
  throw new DelosError('ERR_IMAGE_UNKNOWN', `image ${name} is not published: give its reference`);
}
