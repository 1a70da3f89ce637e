import { sweepJobTokens } from '../../../db/secrets/job-tokens.ts';
import type { SecretPlace } from '../../../db/secrets/rows.ts';
import type { ObjectResource, QuotaResource } from '../../resource.ts';
import { type FoundSecret, findSecret } from './find.ts';
import { checkSecretLimits } from './limits.ts';
import { secretRoutes } from './routes.ts';

export { type JobSecretsRequest, jobSecrets, secretEnv, secretVolumes } from './job-secrets.ts';

/** What a new value asks of its project. */
export interface SecretDemand {
  readonly place: SecretPlace;
  readonly bytes: number;
}

export const secrets: ObjectResource<FoundSecret> & QuotaResource<SecretDemand> = {
  name: 'secrets',
  title: 'secrets',
  prefix: '/api/v1/secrets',
  config: [{ in: 'cluster', key: 'secrets_url' }],
  tables: ['secrets', 'job_tokens'],
  wanted: ({ secretsKey }) => secretsKey !== undefined,
  routes: secretRoutes,
  find: findSecret,
  quota: (tx, { place, bytes }) => checkSecretLimits(tx, place, bytes),
  sweep: ({ database }) => sweepJobTokens(database.db),
  audit: { 'POST ': 'secret.set', 'DELETE /:key': 'secret.remove' },
};
