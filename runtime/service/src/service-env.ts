import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { DatabaseSettings } from './db/database.ts';
import type { Environment } from './service.ts';

/** Environment variables, read by name; an empty one counts as absent, as Kubernetes' `optional` keys make them. */
export function readEnv<T extends z.ZodType>(shape: T, env: Environment): z.infer<T> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = shape.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new DelosError('ERR_CONFIG_VALUE', `environment variable ${field}: ${issue?.message ?? 'not accepted'}`, {
    where: { field },
    hint: `set ${field} in the service's environment`,
  });
}

/** PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD: libpq's names. A host that begins with / is a socket's folder. */
export const databaseEnv = z.object({
  PGHOST: z.string(),
  PGPORT: z.coerce.number().int().default(5432),
  PGUSER: z.string(),
  PGDATABASE: z.string(),
  PGPASSWORD: z.string().optional(),
});

export function databaseSettings(env: z.infer<typeof databaseEnv>): DatabaseSettings {
  return {
    host: env.PGHOST,
    port: env.PGPORT,
    user: env.PGUSER,
    database: env.PGDATABASE,
    ...(env.PGPASSWORD === undefined ? {} : { password: env.PGPASSWORD }),
  };
}
