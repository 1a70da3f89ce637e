import type { FastifyInstance } from 'fastify';
import { callerOf } from '../admit-requests.ts';
import type { ApiDeps } from '../deps.ts';
import type { Resource } from '../resource.ts';
import { type Needs, type Rules, ruleFor } from './rules.ts';

/** Such endpoints see to it themselves who calls them. */
const WITHOUT_TOKEN: readonly Needs[] = ['anyone', 'credential'];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What its line of the table asks of a caller. */
    readonly needs?: Needs;
  }
}

/**
 * Holds the routes of a resource to the table: one without a line stops the listener from starting, and a request without a
 * valid token comes no further, but where the line says so. What an object needs is asked by `authorize`, once it is known.
 */
export function guardRoutes(
  scope: FastifyInstance,
  deps: Pick<ApiDeps, 'authenticate' | 'requests'>,
  resource: Pick<Resource, 'name' | 'prefix'>,
  rules: Rules,
): void {
  scope.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      // Fastify adds HEAD to each GET.
      if (method === 'HEAD') continue;
      const { needs } = ruleFor(rules, resource.name, method, route.url.slice(resource.prefix.length));
      route.config = { ...route.config, needs };
    }
  });
  scope.addHook('onRequest', async (request) => {
    const { needs } = request.routeOptions.config;
    if (needs === undefined || !WITHOUT_TOKEN.includes(needs)) await callerOf(deps, request);
  });
}

/** @throws Error where a stream has no line, or asks another right than its line */
export function guardStreams({ name, streams = [] }: Pick<Resource, 'name' | 'streams'>, rules: Rules): void {
  for (const { path, right } of streams) {
    const { needs } = ruleFor(rules, name, 'WS', path);
    if (needs !== right) throw new Error(`"WS ${path}" of resource ${name} asks for ${right}, its line for ${needs}`);
  }
}
