import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type PlatformConfig, platformConfig } from '@delos/core';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { AgentHub } from '../../../runtime/service/src/api/agents/index.ts';
import { authenticator, callersById } from '../../../runtime/service/src/api/auth.ts';
import { type Cache, NO_CACHE } from '../../../runtime/service/src/api/cache/cache.ts';
import { RequestLimits } from '../../../runtime/service/src/api/limits/request-limits.ts';
import { MOST, RequestBudget } from '../../../runtime/service/src/api/request-budget.ts';
import type { ListenerDeps } from '../../../runtime/service/src/api/resource.ts';
import type { BucketSettings } from '../../../runtime/service/src/api/resources/buckets/settings.ts';
import type { RegistrySettings } from '../../../runtime/service/src/api/resources/registry/settings.ts';
import { resourcesFor } from '../../../runtime/service/src/api/resources.ts';
import { publicApp } from '../../../runtime/service/src/api/server.ts';
import { streamRoutes } from '../../../runtime/service/src/api/streams/index.ts';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { imageSource } from '../../../runtime/service/src/image-source.ts';
import { type LiveSecret, liveOf } from '../../../runtime/service/src/live-secret.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { logDaysOf } from '../../../runtime/service/src/logs/log-store.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import { quiet, startPostgres } from './postgres.ts';

/** An issuer of tokens: a key pair, and a listener that publishes its public half. */
export interface TestIssuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** A token as Keycloak would sign it; `claims` overrides. */
  readonly token: (user: string, claims?: Readonly<Record<string, unknown>>) => Promise<string>;
  readonly stop: () => Promise<void>;
}

export async function startIssuer(): Promise<TestIssuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'test', alg: 'RS256', use: 'sig' }] };
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(jwks));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realms/delos`;
  return {
    issuer,
    jwksUrl: `${issuer}/certs`,
    token: (user, claims = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const usual = {
        sub: `subject-of-${user}`,
        identity: user,
        typ: 'Bearer',
        azp: 'apolo',
        aud: 'apolo',
        iss: issuer,
      };
      return new SignJWT({ ...usual, iat: now, exp: now + 3600, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'test' })
        .sign(privateKey);
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

export interface TestApi {
  readonly url: string;
  readonly deps: ListenerDeps;
  /** A request under /api/v1, as a user. */
  readonly request: (user: string, method: string, path: string, body?: unknown) => Promise<Answer>;
  readonly stop: () => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was answered
  readonly json: any;
}

export const TEST_CONFIG: PlatformConfig = platformConfig.parse({
  users: [{ name: 'alice' }, { name: 'bob' }, { name: 'rita' }, { name: 'noel' }],
  presets: [
    { name: 'cpu-small', cpu: 0.1, memory: '128Mi', creditsPerHour: '3.6' },
    { name: 'cpu-large', cpu: 2, memory: '4Gi' },
    { name: 'gpu', cpu: 1, memory: '1Gi', nvidiaGpu: { count: 1, model: 'H100' }, pools: ['gpus'] },
  ],
  nodePools: [{ name: 'default' }, { name: 'gpus', nvidiaGpu: { count: 2, model: 'H100' } }],
  organizations: [
    {
      name: 'acme',
      projects: [
        {
          name: 'one',
          members: [{ user: 'alice' }, { user: 'rita', role: 'reader' }],
        },
        { name: 'tight', quota: { runningJobs: 1, cpu: 1 }, members: [{ user: 'alice' }] },
        { name: 'open', privileged: true, members: [{ user: 'alice' }] },
      ],
    },
    { name: 'other', projects: [{ name: 'hidden', members: [{ user: 'bob' }] }] },
  ],
});

/** The public API against a real database, on a port of its own; without agents. */
export async function startControlApi(
  database: Database,
  issuer: TestIssuer,
  config: PlatformConfig = TEST_CONFIG,
  cluster = 'default',
  more: {
    readonly realmUrl?: string;
    readonly resources?: ListenerDeps['resources'];
    readonly rules?: NonNullable<ListenerDeps['rules']>;
    readonly cache?: Cache;
    readonly registry?: RegistrySettings;
    readonly logSearchUrl?: string;
    readonly buckets?: BucketSettings;
    /** Where clients find it. @default its own listener */
    readonly publicUrl?: string;
    readonly filesUrl?: string;
    readonly jobsDomain?: string;
    readonly secretsKey?: LiveSecret;
    readonly log?: Logger;
  } = {},
): Promise<TestApi> {
  const { cache = NO_CACHE } = more;
  await database.tx((tx) => applyConfig(tx, config, cluster));
  const settings = {
    cluster,
    publicUrl: 'http://127.0.0.1:1',
    agentToken: 'test-agent-token-0123456789',
    queue: config.jobs,
    collectorToken: 'test-collector-token-0123456789',
    logs: config.logs,
    disks: config.disks,
    secretsKey: more.secretsKey ?? liveOf('test-key-of-secrets-0123456789'),
    oidc: { issuer: issuer.issuer, clientId: 'apolo' },
    ...(more.realmUrl === undefined ? {} : { realmUrl: more.realmUrl }),
    ...(more.buckets === undefined ? {} : { buckets: more.buckets }),
    ...(more.registry === undefined ? {} : { registry: more.registry }),
    ...(more.filesUrl === undefined ? {} : { filesUrl: more.filesUrl }),
    ...(more.jobsDomain === undefined ? {} : { jobsDomain: more.jobsDomain }),
    ...(more.logSearchUrl === undefined ? {} : { logSearchUrl: more.logSearchUrl, logDays: logDaysOf(config) }),
  };
  const tokens = {
    issuer: issuer.issuer,
    jwksUrl: issuer.jwksUrl,
    audience: 'apolo',
    clients: ['apolo'],
    admin: config.admin.user,
    // This issuer is nobody's Keycloak.
    bindFirstAccount: true,
  };
  const deps: ListenerDeps = {
    settings,
    database,
    budget: new RequestBudget(MOST),
    requests: new RequestLimits(config.requests, cache),
    cache,
    log: more.log ?? quiet,
    metrics: new Registry(),
    signal: new AbortController().signal,
    authenticate: authenticator(database.db, { ...tokens, ofJobs: true }),
    authenticateLogin: authenticator(database.db, { ...tokens, clients: [...tokens.clients, 'grafana', 'job-router'] }),
    logs: new PostgresLogStore(database, config.logs),
    imageSource: imageSource({ allowed: ['registry.delos.internal'], resolve: async () => [] }),
    callerById: callersById(database.db, config.admin.user),
    resources: more.resources ?? resourcesFor(settings),
    ...(more.rules === undefined ? {} : { rules: more.rules }),
  };
  const app = await publicApp(deps);
  const tails = new LogTails(database.notifications);
  const streams = streamRoutes(app, deps, new AgentHub(tails));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  Object.assign(settings, { publicUrl: more.publicUrl ?? url });
  return {
    url,
    deps,
    request: async (user, method, path, body) => {
      const response = await fetch(`${url}${path.startsWith('/apis') ? '' : '/api/v1'}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await issuer.token(user)}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
      return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
    },
    stop: async () => {
      streams.close();
      tails.close();
      await app.close();
    },
  };
}

export interface ApiOnPostgres {
  readonly api: TestApi;
  readonly issuer: TestIssuer;
  readonly database: Database;
  /** How a service finds the same database. */
  readonly postgresEnv: Readonly<Record<string, string>>;
}

/** A control API with an issuer and a database of its own. */
export async function startApiOnPostgres(): Promise<ApiOnPostgres & { readonly stop: () => Promise<void> }> {
  const postgres = await startPostgres();
  const database = await postgres.connect();
  const issuer = await startIssuer();
  const api = await startControlApi(database, issuer);
  return {
    api,
    issuer,
    database,
    postgresEnv: postgres.env(database.name),
    stop: async () => {
      await api.stop();
      await issuer.stop();
      await database.close();
      await postgres.stop();
    },
  };
}
