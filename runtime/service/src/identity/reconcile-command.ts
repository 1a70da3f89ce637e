import { providersOf } from '@delos/core';
import type { Logger } from 'pino';
import type { Database } from '../db/database.ts';
import { wantRealm, whileKeepingRealm } from '../db/realm-wanted.ts';
import { accountsOf } from '../db/users.ts';
import type { Environment } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { convergeWhole } from './reconcile.ts';
import { adminOf, identitySecrets, keeperEnv, providerSecrets, wantedRealm } from './settings.ts';

/**
 * Makes the realm what the deployment says: part of `migrate`. Waits for Keycloak, at most ten minutes. A provider that
 * is wrong or away is named, and holds up nothing: the keeper of the realm comes back to it.
 * @throws DelosError ERR_TIMEOUT, ERR_UNAUTHENTICATED, ERR_REQUEST
 */
export async function reconcileIdentity(
  environment: Environment,
  database: Pick<Database, 'db' | 'tx'>,
  log: Logger,
  signal?: AbortSignal,
): Promise<void> {
  const env = readEnv(keeperEnv, environment);
  const { spec, digest } = await wantedRealm(env.DELOS_IDENTITY);
  const admin = adminOf(env);
  await admin.waitUntilReady({
    onWait: (text) => log.info(text),
    ...(signal === undefined ? {} : { signal }),
  });
  const secrets = await identitySecrets(env);
  const { of, missing } = await providerSecrets(env.DELOS_PROVIDER_FILES);
  const keep = async (): Promise<void> => {
    await wantRealm(database.db, digest);
    const given = { of, anew: () => true };
    const { changes, problems, people } = await convergeWhole(admin, spec, secrets, given, accountsOf(database));
    // Where no provider can be in the way, something else is wrong, and the platform cannot start with it.
    if (people !== undefined && providersOf(spec.providers).length === 0) throw people;
    if (people !== undefined)
      log.error({ error: people }, 'people of the realm could not be looked after: a provider is in the way');
    log.info({ changes }, changes.length === 0 ? 'identity is up to date already' : 'identity was brought up to date');
    for (const [provider, problem] of [...missing, ...problems]) {
      log.warn({ provider, problem }, 'an identity provider is not as it shall be');
    }
  };
  await whileKeepingRealm(database, keep, {
    tell: (seconds) => log.info({ seconds }, 'another replica looks after the realm: it is waited for'),
  });
}
