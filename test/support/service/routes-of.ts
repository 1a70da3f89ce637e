import Fastify from 'fastify';
import { Registry } from 'prom-client';
import type { ApiDeps } from '../../../runtime/service/src/api/deps.ts';
import type { Resource } from '../../../runtime/service/src/api/resource.ts';
import { RESOURCES } from '../../../runtime/service/src/api/resources.ts';

export interface ListedRoute {
  readonly method: string;
  /** After the resource's prefix. */
  readonly url: string;
}

/** The routes that a resource adds, but for HEAD. Nothing is asked of them, so there is no database behind them. */
export async function routesOf(resource: Resource): Promise<readonly ListedRoute[]> {
  const app = Fastify();
  const found: ListedRoute[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    found.push(...[method].flat().map((each) => ({ method: each, url: url.slice(resource.prefix.length) })));
  });
  const deps = {
    settings: { cluster: 'default', publicUrl: '', realmUrl: 'http://keycloak/auth/realms/delos', oidc: {} },
    database: {},
    metrics: new Registry(),
    resources: RESOURCES,
  };
  // Routes only keep these; a handler that is never called reads none of them.
  await app.register(async (scope) => resource.routes(scope, deps as unknown as ApiDeps), { prefix: resource.prefix });
  await app.close();
  return found.filter(({ method }) => method !== 'HEAD');
}
