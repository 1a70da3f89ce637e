import { randomUUID } from 'node:crypto';
import { REGISTRY_ISSUER, REGISTRY_SERVICE } from '@delos/core';
import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { RegistrySettings } from './settings.ts';

/** What a token lets its bearer do with one thing. @see https://distribution.github.io/distribution/spec/auth/jwt/ */
export interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/**
 * The right to ask for the list of repositories. The registry itself knows no such type, so that nobody gets its own list, which has
 * everybody's.
 */
export const CATALOG: Access = { type: 'delos-catalog', name: '', actions: ['read'] };

/** A token of the registry is good for so long after its user or project has gone. */
export const TOKEN_SECONDS = 300;
const ALGORITHM = 'ES256';

const claims = z.object({
  uid: z.number().int(),
  access: z.array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })),
});

/** A token that the registry takes. @param now seconds since 1970 */
export function signToken(
  { privateKey, keyId }: RegistrySettings,
  user: { readonly name: string; readonly id: number },
  access: readonly Access[],
  now: number,
): Promise<string> {
  return new SignJWT({ access: [...access], uid: user.id })
    .setProtectedHeader({ alg: ALGORITHM, kid: keyId, typ: 'JWT' })
    .setIssuer(REGISTRY_ISSUER)
    .setSubject(user.name)
    .setAudience(REGISTRY_SERVICE)
    .setIssuedAt(now)
    .setNotBefore(now)
    .setExpirationTime(now + TOKEN_SECONDS)
    .setJti(randomUUID())
    .sign(privateKey);
}

/** The user of the token. Undefined for a token that is not ours, and for one that does not give this right. */
export async function readToken(registry: RegistrySettings, token: string, right: Access): Promise<number | undefined> {
  try {
    const { payload } = await jwtVerify(token, (header) => registry.publicKey(header), {
      issuer: REGISTRY_ISSUER,
      audience: REGISTRY_SERVICE,
      algorithms: [ALGORITHM],
      requiredClaims: ['exp'],
    });
    const { uid, access } = claims.parse(payload);
    return access.some(({ type, name }) => type === right.type && name === right.name) ? uid : undefined;
  } catch {
    return undefined;
  }
}
