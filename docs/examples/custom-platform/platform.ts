// A platform with a service of one's own, `notes`: a database, a route and a volume.
import * as delos from '@delos/constructs';
import { App } from 'cdk8s';

/** @param image what answers on port 8080 below /notes/ */
export async function customPlatform(image: string): Promise<delos.Synthesis> {
  const config = await delos.loadConfig('delos.yaml');
  const context = await delos.loadContext('context.json');
  const platform = new delos.Platform(new App(), 'platform', { config, context });

  const database = platform.get(delos.postgres).database('notes');
  const notes = new delos.Workload(platform, 'notes', {
    namespace: platform.services,
    image,
    command: ['/notes'],
    user: 61_000,
    ports: { http: 8080 },
    runs: { kind: 'stateful-set', replicas: 1 },
    resources: { cpu: '50m', memory: '64Mi', memoryLimit: '128Mi' },
    mounts: () => [delos.claim('data', '/data', '1Gi'), delos.mounted(database.password.secret)],
    env: () => delos.databaseEnv(database),
  });
  notes.reach(database.peer, delos.DNS);
  notes.after(...database.ready);
  platform.get(delos.gateway).route({ paths: ['/notes/*'], port: 'http' }, notes);
  return delos.synthOf(platform);
}
