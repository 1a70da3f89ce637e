import { registrySettings } from '../../../runtime/service/src/api/resources/registry/settings.ts';
import { imageSource } from '../../../runtime/service/src/image-source.ts';
import { liveSecret } from '../../../runtime/service/src/live-secret.ts';
import { startGateway, type TestGateway } from '../edge/gateway.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../service/control-api.ts';
import { startPostgres } from '../service/postgres.ts';
import { type Crane, crane } from './crane.ts';
import { type TestRegistry, testRegistry, WITH_REGISTRY } from './server.ts';

/** The platform's registry behind the gateway's own Caddyfile, with the real control API and its database. */
export interface RegistryPlatform {
  /** `HOST:PORT` of the platform. */
  readonly host: string;
  readonly issuer: TestIssuer;
  readonly api: TestApi;
  readonly gateway: TestGateway;
  readonly registry: TestRegistry;
  /** crane, as a user has it who is logged in; `nobody` is not. */
  readonly as: (user: string) => Crane;
  readonly stop: () => Promise<void>;
}

export async function registryPlatform(users: readonly string[]): Promise<RegistryPlatform> {
  const [postgres, issuer, registry] = await Promise.all([startPostgres(), startIssuer(), testRegistry()]);
  const database = await postgres.connect();
  const api = await startControlApi(database, issuer, undefined, undefined, {
    registry: registrySettings(registry.url, liveSecret(registry.keyFile)),
  });
  const port = Number(new URL(api.url).port);
  const gateway = await startGateway(
    { api: port, identity: port },
    { 'registry.delos.svc.cluster.local:5000': `127.0.0.1:${registry.port}` },
    WITH_REGISTRY,
  );
  const host = `127.0.0.1:${gateway.ports.http}`;
  Object.assign(api.deps.settings, { publicUrl: `http://${host}` });
  // The gateway has a port only now: a platform tells the API of it.
  Object.assign(api.deps, { imageSource: imageSource({ allowed: [host] }) });
  await registry.up();
  const cranes = new Map<string, Crane>([['nobody', await crane(host, undefined)]]);
  for (const user of users) {
    cranes.set(user, await crane(host, { user: 'token', password: await issuer.token(user) }));
  }
  return {
    host,
    issuer,
    api,
    gateway,
    registry,
    as: (user) => cranes.get(user) as Crane,
    stop: async () => {
      for (const each of cranes.values()) await each.stop();
      await gateway.stop();
      await api.stop();
      await registry.stop();
      await issuer.stop();
      await database.close();
      await postgres.stop();
    },
  };
}
