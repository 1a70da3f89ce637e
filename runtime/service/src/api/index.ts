import { z } from 'zod';
import { connectDatabase } from '../db/database.ts';
import { readPlatformConfig } from '../platform-config.ts';
import type { Service } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { agentRoutes } from './agents/index.ts';
import { authenticator } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { jobAccess } from './resources/jobs/access.ts';
import { publicApp } from './server.ts';
import { streamRoutes } from './streams/index.ts';

const apiEnv = databaseEnv.extend({
  DELOS_CONFIG: z.string(),
  DELOS_CLUSTER: z.string().default('default'),
  DELOS_PUBLIC_URL: z.url().transform((url) => url.replace(/\/+$/, '')),
  DELOS_AGENT_TOKEN: z.string().min(16, 'expected at least 16 characters'),
  DELOS_COLLECTOR_TOKEN: z.string().min(16, 'expected at least 16 characters'),
  DELOS_OIDC_ISSUER: z.url(),
  DELOS_OIDC_JWKS_URL: z.url(),
  /** The realm's client that tokens are for. */
  DELOS_OIDC_AUDIENCE: z.string().default('apolo'),
  DELOS_PUBLIC_PORT: z.coerce.number().int().default(8080),
  DELOS_LISTEN_HOST: z.string().default('::'),
});

/** The control API: the client's endpoints on the public listener, the agents' on the internal one. */
export const apiService: Service = {
  name: 'api',
  start: async ({ env: environment, log, metrics, internal, signal }) => {
    const env = readEnv(apiEnv, environment);
    const config = await readPlatformConfig(env.DELOS_CONFIG);
    const database = await connectDatabase({ ...databaseSettings(env), connections: 20 }, log);
    await database.notifications.start();
    const deps: ApiDeps = {
      settings: {
        cluster: env.DELOS_CLUSTER,
        publicUrl: env.DELOS_PUBLIC_URL,
        agentToken: env.DELOS_AGENT_TOKEN,
        collectorToken: env.DELOS_COLLECTOR_TOKEN,
      },
      database,
      log,
      metrics,
      signal,
      authenticate: authenticator(database.db, {
        issuer: env.DELOS_OIDC_ISSUER,
        jwksUrl: env.DELOS_OIDC_JWKS_URL,
        audience: env.DELOS_OIDC_AUDIENCE,
        admin: config.admin.user,
      }),
      jobFor: jobAccess(database.db, env.DELOS_CLUSTER),
    };
    const app = await publicApp(deps, {
      oidc: { issuer: env.DELOS_OIDC_ISSUER, clientId: env.DELOS_OIDC_AUDIENCE },
    });
    const agents = await agentRoutes(internal, deps);
    const streams = await streamRoutes(app, deps, agents.hub);
    const publicUrl = await app.listen({ host: env.DELOS_LISTEN_HOST, port: env.DELOS_PUBLIC_PORT });
    log.info({ publicUrl }, 'public listener');
    return {
      unready: async () =>
        database.notifications.connected ? database.unhealthy() : 'the connection that listens to PostgreSQL is down',
      stop: async () => {
        await streams.close();
        await agents.close();
        await app.close();
        await database.close();
      },
    };
  },
};
