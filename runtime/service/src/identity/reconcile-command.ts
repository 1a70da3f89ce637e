import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError, identitySpec, OPERATOR_CLIENT } from '@delos/core';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Accounts } from '../db/users.ts';
import type { Environment } from '../service.ts';
import { readEnv } from '../service-env.ts';
import { KeycloakAdmin } from './keycloak-admin.ts';
import { convergeIdentity } from './reconcile.ts';

const settings = z.object({
  DELOS_KEYCLOAK_URL: z.url(),
  DELOS_KEYCLOAK_CLIENT_SECRET: z.string(),
  /** JSON of the identity specification. */
  DELOS_IDENTITY: z.string(),
  /** A folder with a file a user, its first password inside. */
  DELOS_IDENTITY_PASSWORDS: z.string(),
  /** File with the issuer's secret. */
  DELOS_IDENTITY_ISSUER: z.string(),
});

/**
 * Makes the realm what the deployment says: part of `migrate`. Waits for Keycloak, at most ten minutes.
 * @throws DelosError ERR_TIMEOUT, ERR_UNAUTHENTICATED, ERR_REQUEST
 */
export async function reconcileIdentity(
  environment: Environment,
  accounts: Accounts,
  log: Logger,
  signal?: AbortSignal,
): Promise<void> {
  const env = readEnv(settings, environment);
  const spec = identitySpec.parse(JSON.parse(await readFile(env.DELOS_IDENTITY, 'utf8')));
  const admin = new KeycloakAdmin({
    url: env.DELOS_KEYCLOAK_URL,
    clientId: OPERATOR_CLIENT,
    clientSecret: env.DELOS_KEYCLOAK_CLIENT_SECRET,
  });
  await admin.waitUntilReady({
    onWait: (text) => log.info(text),
    ...(signal === undefined ? {} : { signal }),
  });
  const secrets = {
    issuer: await secretFrom(env.DELOS_IDENTITY_ISSUER),
    passwords: await passwordsFrom(env.DELOS_IDENTITY_PASSWORDS),
  };
  const changes = await convergeIdentity(admin, spec, secrets, accounts);
  log.info({ changes }, changes.length === 0 ? 'identity is up to date already' : 'identity was brought up to date');
}

/** @throws DelosError ERR_CONFIG_VALUE when the file is not there or holds nothing */
export async function secretFrom(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').then(
    (content) => content.trim(),
    () => '',
  );
  if (text === '') throw new DelosError('ERR_CONFIG_VALUE', `no secret is in ${file}`, { where: { file } });
  return text;
}

async function passwordsFrom(folder: string): Promise<Readonly<Record<string, string>>> {
  // A mounted Secret has entries of the kubelet's own, which begin with two dots.
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'));
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, (await readFile(join(folder, name), 'utf8')).trim()] as const)),
  );
}
