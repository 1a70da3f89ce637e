import type { k8s } from 'cdk8s-plus-28';
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

/**
 * How a client signs in to its database, in libpq's variables. The password is in the file that `PGPASSWORD_FILE` names;
 * {@link mounted} puts it there.
 * @see https://www.postgresql.org/docs/current/libpq-envars.html
 */
export const databaseEnv = ({ host, port, user, name, password }: Database): readonly k8s.EnvVar[] => [
  env('PGHOST', host),
  env('PGPORT', String(port)),
  env('PGUSER', user),
  env('PGDATABASE', name),
  env('PGPASSWORD_FILE', fileOf(password)),
];
