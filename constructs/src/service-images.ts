import type { ServiceDescriptor } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';
import { ownServices } from './service-list.ts';
import { SERVICES } from './services.ts';

/** Names of images in the catalogue, by when they have to be there. */
export interface ServiceImages {
  /** No service that runs as ours has them. */
  readonly unwanted: readonly string[];
  /** Only services have them that come after the first job. */
  readonly late: readonly string[];
}

/** Which images of the services can wait, or are not needed at all. */
export function serviceImages(config: DelosConfig, services: readonly ServiceDescriptor[] = SERVICES): ServiceImages {
  const own = ownServices(config, services);
  const needed = imagesOf(own);
  const first = imagesOf(own.filter(({ late }) => late !== true));
  return {
    unwanted: [...imagesOf(services), ...services.flatMap(({ members }) => members?.image ?? [])].filter(
      (image) => !needed.includes(image),
    ),
    late: needed.filter((image) => !first.includes(image)),
  };
}

const imagesOf = (services: readonly ServiceDescriptor[]): readonly string[] => [
  ...new Set(services.flatMap(({ image, brings = [] }) => [image, ...brings])),
];
