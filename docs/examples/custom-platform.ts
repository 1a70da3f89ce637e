// A platform with a service of one's own, `notes`: a database, a route and a volume. Prints what `kubectl apply` takes.
import * as delos from '@delos/constructs';
import { yamlText } from '@delos/core';
import { App } from 'cdk8s';

const config = delos.delosConfig.parse({ domain: 'ai.example.com' });
const context = delos.profileContext(config, 'existing');
const platform = new delos.Platform(new App(), 'platform', { config, context });

const database = platform.get(delos.postgres).database('notes');
const notes = new delos.Workload(platform, 'notes', {
  namespace: platform.services,
  image: 'registry.example.com/notes:1.0',
  command: ['/notes', '--data', '/data'],
  user: 61_000,
  ports: { http: 8080 },
  runs: { kind: 'stateful-set', replicas: 1 },
  resources: { cpu: '50m', memory: '64Mi', memoryLimit: '128Mi' },
  mounts: () => [delos.claim('data', '/data', '5Gi'), delos.mounted(database.password.secret)],
  env: () => delos.databaseEnv(database),
});
notes.reach(database.peer, delos.DNS);
notes.after(...database.ready);
platform.get(delos.gateway).route({ paths: ['/notes/*'], port: 'http' }, notes);

// Values of Secrets, such as {"delos/postgres-notes/password": "…"}: from the site's vault, never from a file in git.
const values: Readonly<Record<string, string>> = JSON.parse(process.env.SECRETS ?? '{}');
const manifests = delos.withSecrets(delos.synthOf(platform), ({ address, source }) => {
  const value = values[address];
  if (value === undefined) throw new Error(`SECRETS has no ${address} (${source.kind})`);
  return value;
});
console.log(manifests.map((manifest) => yamlText(manifest)).join('---\n'));
