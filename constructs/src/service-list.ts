import { DelosError } from '@delos/core';
import type { Construct } from 'constructs';
import type { BuiltBy, ServiceConstruct, ServiceDescriptor, Site } from './base/service.ts';

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
  return services.map((each, nth) => {
    if (nth !== index) return each;
    const { name, idea, image, config, user, resources } = each;
    return { name, idea, image, config, user, resources, build };
  });
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
