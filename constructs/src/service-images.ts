import type { PlatformConfig } from '@delos/core';
import type { ServiceDescriptor } from './base/service.ts';
import { SERVICES } from './services.ts';

/** Names of images in the catalogue, by when they have to be there. */
export interface ServiceImages {
  /** No service that the configuration asks for has them. */
  readonly unwanted: readonly string[];
  /** Only services have them that come after the first job. */
  readonly late: readonly string[];
}

/** Which images of the services can wait, or are not needed at all. */
export function serviceImages(
  config: PlatformConfig,
  services: readonly ServiceDescriptor[] = SERVICES,
): ServiceImages {
  const wanted = services.filter((service) => service.wanted?.(config) !== false);
  const needed = imagesOf(wanted);
  const first = imagesOf(wanted.filter(({ late }) => late !== true));
  return {
    unwanted: imagesOf(services).filter((image) => !needed.includes(image)),
    late: needed.filter((image) => !first.includes(image)),
  };
}

const imagesOf = (services: readonly ServiceDescriptor[]): readonly string[] => [
  ...new Set(services.map(({ image }) => image)),
];
