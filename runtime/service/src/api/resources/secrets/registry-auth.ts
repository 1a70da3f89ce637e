import { isSameRegistry, MAX_SECRET_BYTES } from '@delos/core';
import { z } from 'zod';

/*
 * Credentials of image registries, as `docker login` and `apolo-extras config build-registry-auth` write them.
 * https://docs.docker.com/reference/cli/docker/login/#authentication-tokens
 */

const credentials = z
  .looseObject({ auth: z.string().optional(), username: z.string().optional(), password: z.string().optional() })
  .transform(({ auth, username, password }) =>
    auth === undefined && username !== undefined && password !== undefined
      ? Buffer.from(`${username}:${password}`).toString('base64')
      : (auth ?? ''),
  );

const schema = z.looseObject({ auths: z.record(z.string(), credentials) });

/** Docker Hub by the names that are written for it. The kubelet knows it by the last one. */
const HUB = /^(?:https?:\/\/)?(?:registry-1\.|index\.|www\.)?docker\.io(?:\/.*)?$/i;
const HUB_KEY = 'https://index.docker.io/v1/';

/** Why a value holds no credentials of registries; undefined where it does. It says nothing of the value. */
export function registryAuthFault(value: Buffer): string | undefined {
  const auths = authsIn(value);
  if (auths === undefined) return 'expected the JSON of a Docker configuration: {"auths": {"HOST": {"auth": "…"}}}';
  if (auths.size === 0) return 'expected credentials of one registry at least';
  for (const [host, auth] of auths) {
    if (Buffer.from(auth, 'base64').toString().includes(':')) continue;
    return `expected "auth" (base64 of USER:PASSWORD) of ${host.slice(0, 200)}: a helper of your own machine is not here`;
  }
  return undefined;
}

/**
 * The credentials of one registry among these, as a Docker configuration of its own.
 * @param registry as image names have it
 * @returns undefined where there are none
 */
export function authOf(value: Buffer, registry: string): string | undefined {
  const found = [...(authsIn(value) ?? [])].filter(([host]) => isOf(host, registry));
  if (found.length === 0) return undefined;
  const auths = found.map(([host, auth]) => [HUB.test(host) ? HUB_KEY : host, { auth }] as const);
  return JSON.stringify({ auths: Object.fromEntries(auths) });
}

function authsIn(value: Buffer): ReadonlyMap<string, string> | undefined {
  if (value.length > MAX_SECRET_BYTES) return undefined;
  try {
    return new Map(Object.entries(schema.parse(JSON.parse(value.toString('utf8'))).auths));
  } catch {
    return undefined;
  }
}

function isOf(host: string, registry: string): boolean {
  if (HUB.test(host)) return HUB.test(registry);
  const [name = ''] = host.replace(/^https?:\/\//i, '').split('/');
  return isSameRegistry(name, registry);
}
