import { shapeOf } from '@delos/core';
import { z } from 'zod';
import type { ServiceDescriptor } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';

type Section = Pick<ServiceDescriptor, 'name' | 'idea' | 'config'>;

/** Key of a service under `services` in delos.yaml: its name in camel case. */
export const sectionName = ({ name }: Pick<ServiceDescriptor, 'name'>): string =>
  name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Key to schema of each service's section. A service with nothing to set has none. */
export function sectionsOf(services: readonly Section[]): Readonly<Record<string, z.ZodType>> {
  return Object.fromEntries(
    services
      .filter(({ config }) => Object.keys(shapeOf(config) ?? { all: config }).length > 0)
      .map((service) => [sectionName(service), z.prefault(service.config, {}).describe(sentence(service.idea))]),
  );
}

const sentence = (idea: string): string => `${idea.charAt(0).toUpperCase()}${idea.slice(1)}`;

/** The section of a service, defaults filled in. */
export function sectionOf<Config>(
  { services }: Pick<DelosConfig, 'services'>,
  service: ServiceDescriptor<Config>,
): Config {
  return service.config.parse(services[sectionName(service)] ?? {});
}
