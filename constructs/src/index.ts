/*
 * The library that others build on. It has three layers. `base` holds parts of any service. Each folder of `services` is
 * one service of Delos. The platform is a list of services. docs/guides/library.md shows them at work.
 */
export * from './base/cache.ts';
export * from './base/config-files.ts';
export * from './base/connections.ts';
export * from './base/database.ts';
export * from './base/identity.ts';
export * from './base/mount.ts';
export * from './base/names.ts';
export * from './base/namespace.ts';
export type { Probes, Resources, Step, WorkloadPod } from './base/pod.ts';
export * from './base/route.ts';
export * from './base/secret.ts';
export * from './base/secret-folder.ts';
export * from './base/service.ts';
export * from './base/workload.ts';
export * from './config.ts';
export * from './delos-config.ts';
export * from './entrance.ts';
export * from './platform.ts';
export * from './profiles.ts';
export * from './public-url.ts';
export * from './secret-values.ts';
export * from './service-list.ts';
export * from './service-sections.ts';
export { agent } from './services/agent/index.ts';
export { collector } from './services/collector/index.ts';
export { controlApi } from './services/control-api/index.ts';
export { Gateway, type GatewayProps } from './services/gateway/gateway.ts';
export { gateway } from './services/gateway/index.ts';
export type { ExternalKeycloakProps } from './services/keycloak/external.ts';
export { keycloak } from './services/keycloak/index.ts';
export { Keycloak, type KeycloakProps } from './services/keycloak/keycloak.ts';
export { realmOf } from './services/keycloak/realm.ts';
export type { ExternalDatabase, ExternalPostgresProps } from './services/postgres/external.ts';
export { postgres } from './services/postgres/index.ts';
export { Postgres, type PostgresProps } from './services/postgres/postgres.ts';
export type { ExternalRedisProps, ExternalRedisUser } from './services/redis/external.ts';
export { redis } from './services/redis/index.ts';
export { Redis, type RedisProps } from './services/redis/redis.ts';
export { scheduler } from './services/scheduler/index.ts';
export * from './services.ts';
export * from './synthesis.ts';
export * from './synthesis-context.ts';
export * from './synthesize.ts';
export * from './upstream-image.ts';
