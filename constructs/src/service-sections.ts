import { shapeOf } from '@delos/core';
import { z } from 'zod';
import type { Resources } from './base/pod.ts';
import { type ResourcesSection, resourcesOf, resourcesSection } from './base/sections/resources-section.ts';
import type { ServiceDescriptor } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';

type Section = Pick<ServiceDescriptor, 'name' | 'idea' | 'config' | 'resources' | 'external' | 'optional'>;

/** Keys of a service's section that every service has. */
export interface CommonSection {
  /** False: it is left out. @default what the service's descriptor says */
  readonly enabled?: boolean;
  /** Processor and memory of each Pod. */
  readonly resources: ResourcesSection;
}

/** Key of a service under `services` in delos.yaml: its name in camel case. */
export const sectionName = ({ name }: Pick<ServiceDescriptor, 'name'>): string =>
  name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Key to schema of each service's section. */
export function sectionsOf(services: readonly Section[]): Readonly<Record<string, z.ZodType>> {
  return Object.fromEntries(services.map((service) => [sectionName(service), sectionSchema(service)]));
}

function sectionSchema({ idea, config, resources, external, optional }: Section): z.ZodType {
  return z
    .strictObject({
      enabled:
        optional === true
          ? z.boolean().optional().describe('true: it is part of the platform; left out: where `external` is given')
          : z.boolean().default(true).describe('false: it is left out'),
      ...shapeOf(config),
      resources: resourcesSection(resources),
      ...(external === undefined
        ? {}
        : { external: external.config.optional().describe('One that is there already takes its place') }),
    })
    .prefault({})
    .describe(sentence(idea));
}

const sentence = (idea: string): string => `${idea.charAt(0).toUpperCase()}${idea.slice(1)}`;

type Sections = Pick<DelosConfig, 'services'>;
const mapping = z.record(z.string(), z.unknown());
/** A service's section as it is written, which may still be wrong. */
export const written = (
  { services }: Sections,
  service: Pick<ServiceDescriptor, 'name'>,
): Readonly<Record<string, unknown>> => mapping.parse(services[sectionName(service)] ?? {});

/** A service's own keys of its section, defaults filled in. */
export function sectionOf<Config>(config: Sections, service: ServiceDescriptor<Config>): Config {
  const own = Object.keys(shapeOf(service.config) ?? {});
  return service.config.parse(
    Object.fromEntries(Object.entries(written(config, service)).filter(([key]) => own.includes(key))),
  );
}

/** Whether the configuration has the service. */
export function isEnabled(config: Sections, service: Pick<ServiceDescriptor, 'name' | 'optional'>): boolean {
  const { enabled, external } = written(config, service) as Partial<CommonSection> & { readonly external?: unknown };
  return enabled ?? (service.optional !== true || external !== undefined);
}

/** Processor and memory of each of the service's Pods. */
export function resourcesFor(config: Sections, service: Pick<ServiceDescriptor, 'name' | 'resources'>): Resources {
  const { resources } = written(config, service) as Partial<CommonSection>;
  return resources === undefined ? service.resources : resourcesOf(resources);
}

/** The section `external` of a service: the site's own server in place of ours. Undefined where ours runs. */
export function externalOf(
  config: Sections,
  service: Pick<ServiceDescriptor, 'name' | 'external'>,
): Readonly<Record<string, unknown>> | undefined {
  const { external } = written(config, service);
  return service.external === undefined || external === undefined ? undefined : mapping.parse(external);
}
