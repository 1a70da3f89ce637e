import { type PlatformConfig, platformConfig } from '@delos/core';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { imageSource } from '../../../runtime/service/src/image-source.ts';
import { liveSecret } from '../../../runtime/service/src/live-secret.ts';
import { startGateway } from '../edge/gateway.ts';
import { startControlApi, startIssuer, TEST_CONFIG, type TestApi, type TestIssuer } from '../service/control-api.ts';
import { startPostgres } from '../service/postgres.ts';
import { type TestObjectStorage, testObjectStorage } from './object-storage.ts';

/** Buckets of projects: a control API over PostgreSQL, and the image's own program, both behind the platform's own gateway. */
export interface BucketWorld {
  readonly api: TestApi;
  readonly issuer: TestIssuer;
  readonly database: Database;
  readonly storage: TestObjectStorage;
  /** Of the platform: the gateway's. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** acme/one has alice, noel and the reader rita; acme/tight has alice alone; other/hidden has bob. */
export const BUCKET_CONFIG: PlatformConfig = platformConfig.parse({
  ...TEST_CONFIG,
  buckets: { perProject: 5 },
  organizations: [
    {
      name: 'acme',
      projects: [
        { name: 'one', members: [{ user: 'alice' }, { user: 'noel' }, { user: 'rita', role: 'reader' }] },
        { name: 'tight', members: [{ user: 'alice' }] },
      ],
    },
    { name: 'other', projects: [{ name: 'hidden', members: [{ user: 'bob' }] }] },
  ],
});

/**
 * @param env of the program, beside what it always has
 * @param config of the platform
 */
export async function bucketWorld(
  env: Readonly<Record<string, string>> = {},
  config: PlatformConfig = BUCKET_CONFIG,
): Promise<BucketWorld> {
  const [postgres, issuer, storage] = await Promise.all([
    startPostgres(),
    startIssuer(),
    testObjectStorage(['reports'], { env }),
  ]);
  const database = await postgres.connect();
  const { perProject } = config.buckets;
  const api = await startControlApi(database, issuer, config, 'default', {
    buckets: {
      url: storage.url,
      signingKey: liveSecret(storage.projectsFile),
      perProject,
      endpoints: imageSource({ allowed: [`127.0.0.1:${storage.port}`] }),
    },
  });
  const gateway = await startGateway(
    { api: Number(new URL(api.url).port), identity: 9 },
    { 'object-storage.delos.svc.cluster.local:7070': `127.0.0.1:${storage.port}` },
    'services: {objectStorage: {enabled: true}}',
  );
  const url = `http://127.0.0.1:${gateway.ports.http}`;
  Object.assign(api.deps.settings, { publicUrl: url });
  return {
    api,
    issuer,
    database,
    storage,
    url,
    stop: async () => {
      await gateway.stop();
      await api.stop();
      await storage.stop();
      await issuer.stop();
      await database.close();
      await postgres.stop();
    },
  };
}
