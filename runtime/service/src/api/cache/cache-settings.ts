import { readFileSync } from 'node:fs';
import { DelosError } from '@delos/core';
import { z } from 'zod';
import { type LiveSecret, liveSecret } from '../../live-secret.ts';

/** Where the cache is, and as whom this service signs in. */
export interface CacheSettings {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string | LiveSecret;
  /** Undefined for plain TCP. */
  readonly tls?: {
    /** PEM of the authority that signed the server's certificate. @default the public ones */
    readonly ca?: string;
  };
}

/** A cache is optional: without REDIS_HOST there is none. Its password comes by REDIS_PASSWORD_FILE. */
export const cacheEnv = z.object({
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: z.coerce.number().int().min(1).max(65_535).default(6379),
  REDIS_USERNAME: z.string().default('default'),
  REDIS_PASSWORD: z.string().optional(),
  REDIS_PASSWORD_FILE: z.string().optional(),
  REDIS_TLS: z.enum(['true', 'false']).default('false'),
  REDIS_CA_FILE: z.string().optional(),
});

/** @throws DelosError ERR_CONFIG_VALUE for a host without a password, and for a certificate authority that cannot be read */
export function cacheSettings(env: z.infer<typeof cacheEnv>): CacheSettings | undefined {
  const { REDIS_HOST: host, REDIS_PASSWORD_FILE: passwordFile, REDIS_CA_FILE: file } = env;
  if (host === undefined) return undefined;
  if (env.REDIS_PASSWORD === undefined || passwordFile === undefined) {
    throw new DelosError('ERR_CONFIG_VALUE', 'environment variable REDIS_PASSWORD_FILE: not set', {
      where: { field: 'REDIS_PASSWORD_FILE' },
      hint: `a password is needed for the cache at ${host}: set the path of the file that holds it`,
    });
  }
  const tls = env.REDIS_TLS === 'true' ? { tls: file === undefined ? {} : { ca: authorityIn(file) } } : {};
  return { host, port: env.REDIS_PORT, username: env.REDIS_USERNAME, password: liveSecret(passwordFile), ...tls };
}

function authorityIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_VALUE', `environment variable REDIS_CA_FILE: ${file} cannot be read`, {
      where: { field: 'REDIS_CA_FILE', file },
      hint: `see that ${file} is there, and that the service's user or group may read it`,
      cause,
    });
  }
}
