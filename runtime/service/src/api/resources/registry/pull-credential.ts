import { REGISTRY_ISSUER } from '@delos/core';
import { jwtVerify, SignJWT } from 'jose';
import type { ProjectOf } from '../../rights.ts';
import type { RegistrySettings } from './settings.ts';

/** Claim `aud`: no other service takes it. */
const AUDIENCE = 'delos-image-pull';
/** Jobs may start again after so long, on a node that has no longer their image. */
const DAYS = 30;
const ALGORITHM = 'ES256';

/**
 * What nodes show to pull the images of a project: it opens nothing else, and only while there is the project. No job can read it.
 * @param now seconds since 1970
 */
export function pullCredential(
  { privateKey, keyId }: RegistrySettings,
  { org, project }: ProjectOf,
  now: number,
): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM, kid: keyId, typ: 'JWT' })
    .setIssuer(REGISTRY_ISSUER)
    .setSubject(`${org}/${project}`)
    .setAudience(AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(now + DAYS * 86_400)
    .sign(privateKey);
}

/** @returns the project whose images it opens; undefined for anything else */
export async function readPullCredential(
  registry: RegistrySettings,
  credential: string,
): Promise<ProjectOf | undefined> {
  try {
    const { payload } = await jwtVerify(credential, (header) => registry.publicKey(header), {
      issuer: REGISTRY_ISSUER,
      audience: AUDIENCE,
      algorithms: [ALGORITHM],
      requiredClaims: ['exp', 'sub'],
    });
    const [org = '', project = ''] = payload.sub?.split('/') ?? [];
    return { org, project };
  } catch {
    return undefined;
  }
}
