import { DelosError, joinOf } from '@delos/core';
import type { Construct } from 'constructs';
import type { BuiltBy, ServiceConstruct, ServiceDescriptor, Site } from './base/service.ts';
import type { DelosConfig } from './delos-config.ts';
import { externalOf, isEnabled, sectionOf } from './service-sections.ts';

/** The list as the configuration wants it: less what is left out, and with what is there already in its place. */
export function servicesOf(config: DelosConfig, services: readonly ServiceDescriptor[]): readonly ServiceDescriptor[] {
  return services
    .filter((service) => isAsked(config, service))
    .map((service) => {
      if (joinOf(config) !== undefined && typeof service.joined === 'function') return standIn(service, service.joined);
      const given = externalOf(config, service);
      const form = service.external;
      if (given === undefined || form === undefined) return formOf(config, service);
      return standIn(service, (scope, at) => form.build(scope, at, given));
    });
}

/** The services of the list that run as Pods of ours: those that are neither left out nor there already. */
export const ownServices = (
  config: DelosConfig,
  services: readonly ServiceDescriptor[],
): readonly ServiceDescriptor[] =>
  services
    .filter(
      (service) =>
        isAsked(config, service) && externalOf(config, service) === undefined && !isElsewhere(config, service),
    )
    .map((service) => formOf(config, service));

/** How many Pods of it have a copy of all that it keeps; 1 for a service that has no members. */
export const membersOf = (config: DelosConfig, service: ServiceDescriptor): number =>
  service.members?.count(sectionOf(config, service)) ?? 1;

/** Pods of one service, each of which needs a node of its own where any may be lost. */
export const podsApart = (config: DelosConfig, services: readonly ServiceDescriptor[]): number =>
  Math.max(2, ...ownServices(config, services).map((service) => membersOf(config, service)));

/** The service as the configuration wants it: as one, or as several members. */
function formOf(config: DelosConfig, service: ServiceDescriptor): ServiceDescriptor {
  const { diesWithNode: _, ...rest } = service;
  if (service.outlivesNode?.holds(sectionOf(config, service)) === true) return rest;
  if (service.members === undefined || membersOf(config, service) === 1) return service;
  const { image, metrics, alerts } = service.members;
  return { ...rest, image, metrics, alerts: [...(service.alerts ?? []), ...alerts] };
}

/** Whether the configuration asks for the service: in its own section, and by what else decides about it. */
const isAsked = (config: DelosConfig, service: ServiceDescriptor): boolean =>
  isEnabled(config, service) &&
  service.wanted?.(config) !== false &&
  (joinOf(config) === undefined || service.joined !== undefined);

/** Whether the platform that this cluster has joined has it. */
const isElsewhere = (config: DelosConfig, { joined }: ServiceDescriptor): boolean =>
  joinOf(config) !== undefined && typeof joined === 'function';

/** The service without what it asked of others and what led to it: something else stands in its place. */
function standIn(
  { name, idea, image, config, user, resources }: ServiceDescriptor,
  build: ServiceDescriptor['build'],
): ServiceDescriptor {
  return { name, idea, image, config, user, resources, build };
}

/**
 * The list with something else in the place of one service. What asks for the service gets it. The service's routes, and what
 * it asked of a database and a cache, are gone from the list.
 * @example
 * const services = replaced(SERVICES, postgres, (_scope, { namespace }) => {
 *   const password = { secret: Secret.external({ namespace, name: 'our-database' }), key: 'password' };
 *   return Postgres.external({ host: '10.20.0.5', databases: { keycloak: { password }, delos: { password } } });
 * });
 * @throws DelosError ERR_INTERNAL for a service that is not in the list
 */
export function replaced<Built extends ServiceConstruct>(
  services: readonly ServiceDescriptor[],
  service: BuiltBy<Built>,
  build: (scope: Construct, at: Site<unknown>) => NoInfer<Built>,
): readonly ServiceDescriptor[] {
  const index = indexOf(services, service);
  return services.map((each, nth) => (nth === index ? standIn(each, build) : each));
}

/**
 * The list less some services. Another service that asks for one of them is refused when the platform is built.
 * @example
 * const services = without(SERVICES, agent, collector);
 * @throws DelosError ERR_INTERNAL for a service that is not in the list
 */
export function without(
  services: readonly ServiceDescriptor[],
  ...left: readonly BuiltBy<ServiceConstruct>[]
): readonly ServiceDescriptor[] {
  const indices = left.map((service) => indexOf(services, service));
  return services.filter((_service, nth) => !indices.includes(nth));
}

function indexOf(services: readonly ServiceDescriptor[], { name }: { readonly name: string }): number {
  const index = services.findIndex((each) => each.name === name);
  if (index >= 0) return index;
  const listed = services.map((each) => each.name).join(', ');
  throw new DelosError('ERR_INTERNAL', `service ${name} is not in the list: ${listed}`);
}
