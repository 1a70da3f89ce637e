import type { k8s } from 'cdk8s-plus-28';
import type { CacheUser } from './cache.ts';
import type { Database } from './database.ts';
import { type Mount, secretFiles } from './mount.ts';
import type { SecretHandle, SecretKey } from './secret.ts';

const SECRETS = '/etc/delos-secrets';

/** A Secret as a folder of files, one for each key. */
export const mounted = (secret: SecretHandle): Mount => secretFiles(secret, `${SECRETS}/${secret.name}`);

/** The file of a Secret's key, where {@link mounted} puts it. */
export const fileOf = ({ secret, key }: SecretKey): string => `${SECRETS}/${secret.name}/${key}`;

/** One variable of the environment. Never of a secret: an environment is shown by the API server. */
export const env = (name: string, value: string): k8s.EnvVar => ({ name, value });

/** Secrets that a client of a database mounts, by {@link mounted}. */
export const databaseSecrets = ({ password, tls }: Database): readonly SecretHandle[] => secretsOf(password, tls);

const secretsOf = (
  password: SecretKey,
  tls: { readonly authority?: SecretKey } | undefined,
): readonly SecretHandle[] => [
  ...new Set([password, ...(tls?.authority === undefined ? [] : [tls.authority])].map(({ secret }) => secret)),
];

/**
 * How a client signs in to its database, in libpq's variables. The password is in the file that `PGPASSWORD_FILE` names,
 * and a certificate authority in the one that `PGSSLROOTCERT` names; {@link databaseSecrets} are the Secrets that have them.
 * @see https://www.postgresql.org/docs/current/libpq-envars.html
 */
export const databaseEnv = ({ host, port, user, name, password, tls }: Database): readonly k8s.EnvVar[] => [
  env('PGHOST', host),
  env('PGPORT', String(port)),
  env('PGUSER', user),
  env('PGDATABASE', name),
  env('PGPASSWORD_FILE', fileOf(password)),
  ...(tls === undefined ? [] : [env('PGSSLMODE', 'verify-full')]),
  ...(tls?.authority === undefined ? [] : [env('PGSSLROOTCERT', fileOf(tls.authority))]),
];

/** Secrets that a client of a cache mounts, by {@link mounted}. */
export const cacheSecrets = ({ password, tls }: CacheUser): readonly SecretHandle[] => secretsOf(password, tls);

/**
 * How a client reaches its cache and signs in. Password and certificate authority are in files; {@link cacheSecrets} are
 * the Secrets that have them.
 */
export const cacheEnv = ({ host, port, user, password, tls }: CacheUser): readonly k8s.EnvVar[] => [
  env('REDIS_HOST', host),
  env('REDIS_PORT', String(port)),
  env('REDIS_USERNAME', user),
  env('REDIS_PASSWORD_FILE', fileOf(password)),
  ...(tls === undefined ? [] : [env('REDIS_TLS', 'true')]),
  ...(tls?.authority === undefined ? [] : [env('REDIS_CA_FILE', fileOf(tls.authority))]),
];
