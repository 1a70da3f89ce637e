import { registrySettings } from '../../../runtime/service/src/api/resources/registry/settings.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { imageSource } from '../../../runtime/service/src/image-source.ts';
import { startGateway } from '../edge/gateway.ts';
import { type TestFiles, testFiles } from '../files/file-storage.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../service/control-api.ts';
import { startPostgres } from '../service/postgres.ts';
import { type Crane, crane } from './crane.ts';
import { testRegistry, WITH_REGISTRY } from './server.ts';

/** What a build of an image needs of the platform: registry, files, control API and gateway, all real. */
export interface BuildPlatform {
  /** `HOST:PORT` of the platform. */
  readonly host: string;
  readonly issuer: TestIssuer;
  readonly api: TestApi;
  readonly database: Database;
  readonly files: TestFiles;
  /** crane, as a user has it who is logged in. */
  readonly as: (user: string) => Promise<Crane>;
  readonly stop: () => Promise<void>;
}

/** Reference of the image that a cluster would start builds from. */
export const BUILDER = 'registry.delos.internal/delos/image-builder:test';

export async function buildPlatform(): Promise<BuildPlatform> {
  const [postgres, issuer, registry] = await Promise.all([startPostgres(), startIssuer(), testRegistry()]);
  const database = await postgres.connect();
  const api = await startControlApi(database, issuer, undefined, undefined, {
    registry: registrySettings(registry.url, registry.key),
    filesUrl: '',
  });
  const files = await testFiles(api.url);
  await files.up();
  const port = Number(new URL(api.url).port);
  const gateway = await startGateway(
    { api: port, identity: port },
    {
      'registry.delos.svc.cluster.local:5000': `127.0.0.1:${registry.port}`,
      'files.delos.svc.cluster.local:8080': `127.0.0.1:${files.port}`,
    },
    WITH_REGISTRY,
  );
  const host = `127.0.0.1:${gateway.ports.http}`;
  Object.assign(api.deps.settings, {
    publicUrl: `http://${host}`,
    filesUrl: `http://127.0.0.1:${files.port}`,
    jobsMountFiles: true,
    builder: () => ({ image: BUILDER }),
  });
  // The gateway has a port only now: a platform tells the API of it.
  Object.assign(api.deps, { imageSource: imageSource({ allowed: [host], resolve: async () => [] }) });
  await registry.up();
  const cranes = new Map<string, Crane>();
  return {
    host,
    issuer,
    api,
    database,
    files,
    as: async (user) => {
      const known = cranes.get(user) ?? (await crane(host, { user: 'token', password: await issuer.token(user) }));
      cranes.set(user, known);
      return known;
    },
    stop: async () => {
      for (const each of cranes.values()) await each.stop();
      await gateway.stop();
      await files.stop();
      await api.stop();
      await registry.stop();
      await issuer.stop();
      await database.close();
      await postgres.stop();
    },
  };
}
