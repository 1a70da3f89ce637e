import type { PlatformConfig } from '@delos/core';
import type { ServiceDescriptor } from './base/service.ts';

/** Key of a service under `services` in delos.yaml: its name in camel case. */
export const sectionName = ({ name }: Pick<ServiceDescriptor, 'name'>): string =>
  name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The section of a service, defaults filled in. */
export function sectionOf<Config>(config: PlatformConfig, service: ServiceDescriptor<Config>): Config {
  const sections: Readonly<Record<string, unknown>> = config.services;
  return service.config.parse(sections[sectionName(service)] ?? {});
}
