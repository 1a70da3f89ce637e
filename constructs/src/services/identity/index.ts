import { Construct } from 'constructs';
import { z } from 'zod';
import type { Identity } from '../../base/identity.ts';
import { ownWorkload, runs } from '../../base/own-service.ts';
import { databaseEnv, databaseSecrets, mounted } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import type { Workload } from '../../base/workload.ts';
import type { RealmKeeping } from '../control-api/control-api.ts';
import { controlApi } from '../control-api/index.ts';
import { keycloak } from '../keycloak/index.ts';

/**
 * Keeps the realm as it was deployed, and asks identity providers who is in which group. It is what alone may change
 * Keycloak while the platform runs, and nobody can talk to it.
 */
export class IdentityKeeper extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    { at, of, keeping }: { readonly at: Site<unknown>; readonly of: Identity; readonly keeping: RealmKeeping },
  ) {
    super(scope, id);
    const { database } = at;
    this.workload = ownWorkload(this, identity, at, {
      // Two would do the same work twice. Without it, people who are known go on.
      runs: { kind: 'deployment', replicas: 1 },
      command: runs('identity'),
      mounts: () => [...keeping.mounts(), ...databaseSecrets(database).map(mounted)],
      env: () => [...databaseEnv(database), ...keeping.env()],
    });
    this.workload.reach(database.peer, of.peer);
    this.workload.after(...database.ready);
  }
}

/** The service that keeps the realm. */
export const identity: ServiceDescriptor<Readonly<Record<string, never>>, IdentityKeeper> = {
  name: 'identity',
  idea: 'the keeper of the realm: undoes changes by hand, and reads groups of identity providers',
  image: 'runtime',
  config: z.strictObject({}).prefault({}),
  user: 60645,
  resources: { cpu: '10m', memory: '64Mi', memoryLimit: '256Mi' },
  needs: [controlApi, keycloak],
  // The control API's.
  database: 'delos',
  dialsOut: { trustedBy: 'NODE_EXTRA_CA_CERTS', direct: true },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'IdentityProviderAway',
      severity: 'warning',
      expr: 'min by (provider) (delos_identity_provider_up) < 1',
      for: '5m',
      summary: 'Something is wrong with an identity provider: its users may not log in, and its groups are not read',
    },
    {
      name: 'RealmChangedByHand',
      severity: 'warning',
      expr: 'increase(delos_identity_drift_total[15m]) > 0',
      for: '1m',
      summary: 'Somebody changed the realm in Keycloak by hand; it was put back',
    },
  ],
  panels: [
    {
      title: 'Changes by hand that were undone',
      unit: 'count',
      series: [{ expr: 'sum(increase(delos_identity_drift_total[1h]))', legend: 'in an hour' }],
    },
    {
      title: 'Identity providers that answer',
      unit: 'count',
      kind: 'now',
      series: [{ expr: 'min by (provider) (delos_identity_provider_up)', legend: '{{provider}}' }],
      emptyUnless: '`identity` in delos.yaml names a provider',
    },
  ],
  build: (scope, at) =>
    new IdentityKeeper(scope, 'identity', { at, of: at.get(keycloak), keeping: at.get(controlApi).keeping }),
};
