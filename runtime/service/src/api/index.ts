import { isIPv6 } from 'node:net';
import { CLIENT_ID, ISSUER_CLIENT, PORTS, providersOf } from '@delos/core';
import { z } from 'zod';
import { auditKeys } from '../db/audit/checkpoints.ts';
import { connectDatabase } from '../db/database.ts';
import { databaseMetrics } from '../db/database-metrics.ts';
import { every } from '../edge/guard.ts';
import { realmUrlOf } from '../identity/realm.ts';
import { imageSource, registryList } from '../image-source.ts';
import { liveSecret } from '../live-secret.ts';
import { bucketEnv, bucketSettings } from '../logs/bucket-env.ts';
import { openLogArchive } from '../logs/log-archive.ts';
import { logDaysOf, logPolicyOf } from '../logs/log-store.ts';
import { readPlatformConfig } from '../platform-config.ts';
import type { Service } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { agentRoutes } from './agents/index.ts';
import { authenticator, callersById, type TokenSettings } from './auth.ts';
import { carryOutBakes } from './bakes/index.ts';
import { NO_CACHE } from './cache/cache.ts';
import { cacheEnv, cacheSettings } from './cache/cache-settings.ts';
import { RedisCache } from './cache/redis-cache.ts';
import type { Agents, ApiSettings } from './deps.ts';
import { RequestLimits } from './limits/request-limits.ts';
import { ProviderLogins } from './provider-logins.ts';
import { MOST, RequestBudget } from './request-budget.ts';
import type { ListenerDeps } from './resource.ts';
import { builderIn } from './resources/jobs/builds/builder.ts';
import { registrySettings } from './resources/registry/settings.ts';
import { resourcesFor } from './resources.ts';
import { publicApp } from './server.ts';
import { streamRoutes } from './streams/index.ts';

const apiEnv = databaseEnv.extend({
  ...cacheEnv.shape,
  ...bucketEnv.shape,
  DELOS_CONFIG: z.string(),
  DELOS_CLUSTER: z.string().default('default'),
  DELOS_PUBLIC_URL: z.url().transform((url) => url.replace(/\/+$/, '')),
  DELOS_AGENT_TOKEN: z.string().min(16, 'expected at least 16 characters'),
  DELOS_AGENT_TOKEN_FILE: z.string(),
  DELOS_COLLECTOR_TOKEN: z.string().min(16, 'expected at least 16 characters'),
  DELOS_COLLECTOR_TOKEN_FILE: z.string(),
  DELOS_OIDC_ISSUER: z.url(),
  DELOS_OIDC_JWKS_URL: z.url(),
  /** The realm's client that tokens are for. */
  DELOS_OIDC_AUDIENCE: z.string().default(CLIENT_ID),
  /** Clients of services that people log in to by a browser, separated by commas. */
  DELOS_OIDC_LOGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((name) => name !== '')),
  /** Our own Keycloak; left out where the realm is somebody else's. */
  DELOS_KEYCLOAK_URL: z.url().optional(),
  /** `HOST[:PORT]`, separated by commas: registries that jobs may use wherever they are. */
  DELOS_ALLOWED_REGISTRIES: z.string().default('').transform(registryList),
  /** The key by which secrets of projects are encrypted. */
  DELOS_SECRETS_KEY_FILE: z.string().optional(),
  /** The secret from which the key that signs audit records follows. */
  DELOS_AUDIT_KEY_FILE: z.string().optional(),
  /** The registry of images, where the platform has one. */
  DELOS_REGISTRY_URL: z.url().optional(),
  /** The key that signs its tokens: P-256, PKCS #8 in PEM. */
  /** Where PostgreSQL is the platform's own. */
  DELOS_DATABASE_VOLUME_BYTES: z.coerce.number().int().positive().optional(),
  DELOS_REGISTRY_SECRET: z.string().optional(),
  DELOS_REGISTRY_SECRET_FILE: z.string().optional(),
  /** File that names what carries out builds of images; it comes with that. */
  DELOS_BUILDER_FILE: z.string().optional(),
  /** Certificate authorities that Node trusts beside the public ones. */
  NODE_EXTRA_CA_CERTS: z.string().optional(),
  /** The platform's own object storage, where projects have buckets. */
  DELOS_BUCKETS_URL: z
    .url()
    .optional()
    .transform((text) => text?.replace(/\/+$/, '')),
  /** File of the keys that sign credentials for them. */
  DELOS_BUCKETS_SIGNING_FILE: z.string().optional(),
  /** The program that has the files, where the platform has a file storage. */
  DELOS_FILES_URL: z
    .url()
    .optional()
    .transform((text) => text?.replace(/\/+$/, '')),
  /** Whether the agent knows the volume that they are on. */
  DELOS_JOBS_MOUNT_FILES: z.stringbool().default(false),
  /** Jobs have addresses one label below it, where the platform leads them to jobs. */
  DELOS_JOBS_DOMAIN: z.string().optional(),
  /** VictoriaLogs, where the platform has it. */
  DELOS_LOG_SEARCH_URL: z
    .url()
    .optional()
    .transform((text) => text?.replace(/\/+$/, '')),
  DELOS_PUBLIC_PORT: z.coerce.number().int().default(PORTS.http),
  DELOS_LISTEN_HOST: z.string().default('::'),
  /** Of its Pod: where agents and other replicas reach it. */
  POD_IP: z.union([z.ipv4(), z.ipv6()]).optional(),
  DELOS_INTERNAL_PORT: z.coerce.number().int().default(PORTS.internal),
});

/** What of resources depends on time is looked at this often. */
const SWEEP_MS = 5_000;

const addressOf = (ip: string, port: number): string => `http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}`;

/** The control API: the client's endpoints on the public listener, the agents' on the internal one. */
export const apiService: Service = {
  name: 'api',
  start: async ({ env: environment, log, metrics, internal, signal }) => {
    const env = readEnv(apiEnv, environment);
    const config = await readPlatformConfig(env.DELOS_CONFIG);
    const database = await connectDatabase({ ...databaseSettings(env), connections: 20 }, log);
    await database.notifications.start();
    databaseMetrics(metrics, database, { volumeBytes: env.DELOS_DATABASE_VOLUME_BYTES });
    const archive = await openLogArchive({
      database,
      policy: logPolicyOf(config),
      bufferLimit: config.logs.bufferLimit,
      bucket: bucketSettings(env),
      log,
      metrics,
    });
    const logs = archive.store;
    const shared = cacheSettings(env);
    const cache = shared === undefined ? NO_CACHE : new RedisCache(shared, { log, metrics });
    const { DELOS_BUCKETS_URL: bucketsUrl, DELOS_BUCKETS_SIGNING_FILE: bucketsKey } = env;
    const { DELOS_REGISTRY_URL: registryUrl, DELOS_REGISTRY_SECRET_FILE: registryKey } = env;
    const { DELOS_BUILDER_FILE: builderFile, NODE_EXTRA_CA_CERTS: authorities } = env;
    const settings: ApiSettings = {
      cluster: env.DELOS_CLUSTER,
      publicUrl: env.DELOS_PUBLIC_URL,
      agentToken: liveSecret(env.DELOS_AGENT_TOKEN_FILE),
      queue: config.jobs,
      ...(env.POD_IP === undefined ? {} : { internalAddress: addressOf(env.POD_IP, env.DELOS_INTERNAL_PORT) }),
      collectorToken: liveSecret(env.DELOS_COLLECTOR_TOKEN_FILE),
      logs: config.logs,
      disks: config.disks,
      ...(env.DELOS_FILES_URL === undefined ? {} : { filesUrl: env.DELOS_FILES_URL }),
      jobsMountFiles: env.DELOS_JOBS_MOUNT_FILES,
      ...(env.DELOS_LOG_SEARCH_URL === undefined ? {} : { logSearchUrl: env.DELOS_LOG_SEARCH_URL }),
      logDays: logDaysOf(config),
      ...(env.DELOS_JOBS_DOMAIN === undefined ? {} : { jobsDomain: env.DELOS_JOBS_DOMAIN }),
      ...(env.DELOS_SECRETS_KEY_FILE === undefined ? {} : { secretsKey: liveSecret(env.DELOS_SECRETS_KEY_FILE) }),
      ...(env.DELOS_AUDIT_KEY_FILE === undefined
        ? {}
        : { auditKeys: auditKeys(liveSecret(env.DELOS_AUDIT_KEY_FILE).current()) }),
      oidc: { issuer: env.DELOS_OIDC_ISSUER, clientId: env.DELOS_OIDC_AUDIENCE },
      ...(env.DELOS_KEYCLOAK_URL === undefined
        ? {}
        : { realmUrl: realmUrlOf(env.DELOS_KEYCLOAK_URL, env.DELOS_OIDC_ISSUER) }),
      ...(registryUrl === undefined || registryKey === undefined
        ? {}
        : { registry: registrySettings(registryUrl, liveSecret(registryKey)) }),
      ...(builderFile === undefined ? {} : { builder: () => builderIn(builderFile, authorities) }),
      ...(bucketsUrl === undefined || bucketsKey === undefined
        ? {}
        : {
            buckets: {
              url: bucketsUrl,
              signingKey: liveSecret(bucketsKey),
              perProject: config.buckets.perProject,
              endpoints: imageSource({ allowed: config.buckets.allowedEndpoints }),
            },
          }),
    };
    const resources = resourcesFor(settings);
    const tokens: TokenSettings = {
      issuer: env.DELOS_OIDC_ISSUER,
      jwksUrl: env.DELOS_OIDC_JWKS_URL,
      audience: env.DELOS_OIDC_AUDIENCE,
      clients: [env.DELOS_OIDC_AUDIENCE, ISSUER_CLIENT],
      admin: config.admin.user,
      bindFirstAccount: env.DELOS_KEYCLOAK_URL === undefined,
      ...(providersOf(config.identity).length === 0
        ? {}
        : { providers: new ProviderLogins(database, config.identity) }),
    };
    let hub: Agents | undefined;
    const deps: ListenerDeps = {
      settings,
      database,
      budget: new RequestBudget(MOST),
      requests: new RequestLimits(config.requests, cache),
      cache,
      log,
      metrics,
      signal,
      authenticate: authenticator(database.db, { ...tokens, ofJobs: true }),
      authenticateLogin: authenticator(database.db, {
        ...tokens,
        clients: [...tokens.clients, ...env.DELOS_OIDC_LOGINS],
      }),
      callerById: callersById(database.db, config.admin.user),
      logs,
      imageSource: imageSource({ allowed: env.DELOS_ALLOWED_REGISTRIES }),
      agents: () => hub,
      resources,
    };
    const app = await publicApp(deps);
    const agents = await agentRoutes(internal, deps);
    hub = agents.hub;
    const streams = streamRoutes(app, deps, agents.hub);
    const publicUrl = await app.listen({ host: env.DELOS_LISTEN_HOST, port: env.DELOS_PUBLIC_PORT });
    const endSweeps = Object.values(resources).map(({ name, sweep }) =>
      sweep === undefined ? () => {} : every(SWEEP_MS, log, `looking after ${name}`, () => sweep(deps)),
    );
    const bakes = carryOutBakes(deps);
    log.info({ publicUrl }, 'public listener');
    return {
      unready: async () =>
        database.notifications.connected ? database.unhealthy() : 'the connection that listens to PostgreSQL is down',
      stop: async () => {
        for (const end of endSweeps) end();
        streams.close();
        await bakes.close();
        await agents.close();
        await app.close();
        await archive.close();
        await cache.close();
        await database.close();
      },
    };
  },
};
