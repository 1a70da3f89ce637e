import { readFileSync } from 'node:fs';
import { DelosError, POSTGRES_PORT } from '@delos/core';
import { z } from 'zod';
import type { DatabaseSettings } from './db/database.ts';
import { liveSecret } from './live-secret.ts';
import type { Environment } from './service.ts';

/** Settings of such a name are secrets. */
const SECRET = /(PASSWORD|TOKEN|SECRET)$/;

/**
 * Environment variables, read by name; an empty one counts as absent, as Kubernetes' `optional` keys make them. A secret
 * NAME is the content of the file that NAME_FILE names. In the environment itself it is refused: /proc shows that, and
 * child processes inherit it.
 *
 * @throws DelosError ERR_CONFIG_VALUE
 */
export function readEnv<T extends z.ZodObject>(shape: T, env: Environment): z.infer<T> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  for (const name of Object.keys(shape.shape).filter((key) => SECRET.test(key))) {
    if (given[name] !== undefined) {
      throw new DelosError('ERR_CONFIG_VALUE', `environment variable ${name}: a secret is not taken from here`, {
        where: { field: name },
        hint: `write it to a file that this service alone can read, and set ${name}_FILE to the file's path`,
      });
    }
    const file = given[`${name}_FILE`];
    if (file !== undefined) given[name] = secretIn(file, `${name}_FILE`);
  }
  const parsed = shape.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const key = issue?.path.join('.') ?? '';
  const field = SECRET.test(key) ? `${key}_FILE` : key;
  throw new DelosError('ERR_CONFIG_VALUE', `environment variable ${field}: ${issue?.message ?? 'not accepted'}`, {
    where: { field },
    hint: `set ${field} in the service's environment`,
  });
}

function secretIn(file: string, field: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_VALUE', `environment variable ${field}: ${file} cannot be read`, {
      where: { field, file },
      hint: `see that ${file} is there, and that the service's user or group may read it`,
      cause,
    });
  }
  if (text !== '') return text;
  throw new DelosError('ERR_CONFIG_VALUE', `environment variable ${field}: no secret is in ${file}`, {
    where: { field, file },
    hint: `write the secret to ${file}`,
  });
}

/** PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD (by its file): libpq's names. A host that begins with / is a socket's folder. */
export const databaseEnv = z.object({
  PGHOST: z.string(),
  PGPORT: z.coerce.number().int().default(POSTGRES_PORT),
  PGUSER: z.string(),
  PGDATABASE: z.string(),
  PGPASSWORD: z.string().optional(),
  PGPASSWORD_FILE: z.string().optional(),
  PGSSLMODE: z.enum(['disable', 'verify-full']).default('disable'),
  /** File of the certificate authority, PEM. @default the public ones */
  PGSSLROOTCERT: z.string().optional(),
});

export function databaseSettings(env: z.infer<typeof databaseEnv>): DatabaseSettings {
  return {
    host: env.PGHOST,
    port: env.PGPORT,
    user: env.PGUSER,
    database: env.PGDATABASE,
    ...(env.PGPASSWORD_FILE === undefined ? {} : { password: liveSecret(env.PGPASSWORD_FILE) }),
    ...(env.PGSSLMODE === 'disable' ? {} : { tls: tlsOf(env.PGSSLROOTCERT) }),
  };
}

function tlsOf(file: string | undefined): NonNullable<DatabaseSettings['tls']> {
  return file === undefined ? {} : { authority: secretIn(file, 'PGSSLROOTCERT') };
}
