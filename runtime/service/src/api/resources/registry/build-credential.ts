import { DelosError, REGISTRY_ISSUER, TERMINAL } from '@delos/core';
import { jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { isGranted } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { isAllowed } from '../../rights.ts';
import { projectOfRepository } from './names.ts';
import type { RegistrySettings } from './settings.ts';

/** Claim `aud`: no other service takes it. */
const AUDIENCE = 'delos-image-build';
/** A build that takes longer cannot push. */
const DAYS = 1;
/** A container is saved within it. */
const SAVE_SECONDS = 3_600;
const ALGORITHM = 'ES256';

const claims = z.object({
  sub: z.string(),
  user: z.number().int(),
  push: z.array(z.string()),
  repository: z.string().optional(),
});

/** What a build may do at the registry: push to these projects, and pull what its user may read. */
export interface BuildRights {
  readonly job: string;
  /** Id of the user. */
  readonly user: number;
  /** Projects as `ORG/PROJECT`. */
  readonly push: readonly string[];
  /** It opens this repository alone, for an hour. @default all that is said above, for a day */
  readonly repository?: string;
}

/**
 * What a build shows to the registry. It opens nothing else, and ends with the job.
 * @param now seconds since 1970
 */
export function buildCredential(
  { privateKey, keyId }: RegistrySettings,
  { job, user, push, repository }: BuildRights,
  now: number,
): Promise<string> {
  return new SignJWT({ user, push: [...push], ...(repository === undefined ? {} : { repository }) })
    .setProtectedHeader({ alg: ALGORITHM, kid: keyId, typ: 'JWT' })
    .setIssuer(REGISTRY_ISSUER)
    .setSubject(job)
    .setAudience(AUDIENCE)
    .setIssuedAt(now)
    .setExpirationTime(now + (repository === undefined ? DAYS * 86_400 : SAVE_SECONDS))
    .sign(privateKey);
}

/** @returns undefined for anything that is no such credential */
export async function readBuildCredential(
  registry: RegistrySettings,
  credential: string,
): Promise<BuildRights | undefined> {
  try {
    const { payload } = await jwtVerify(credential, (header) => registry.publicKey(header), {
      issuer: REGISTRY_ISSUER,
      audience: AUDIENCE,
      algorithms: [ALGORITHM],
      requiredClaims: ['exp', 'sub'],
    });
    const { sub: job, user, push, repository } = claims.parse(payload);
    return { job, user, push, ...(repository === undefined ? {} : { repository }) };
  } catch {
    return undefined;
  }
}

/**
 * The user of a build, with the rights of the build: of those that the user has now, writing in the projects that it pushes to alone.
 * @throws DelosError ERR_UNAUTHENTICATED where its job has ended, or the user was removed
 */
export async function callerOfBuild(
  { database, callerById, settings }: Pick<ApiDeps, 'database' | 'callerById' | 'settings'>,
  { job, user, push, repository }: BuildRights,
): Promise<Caller> {
  const row = await database.db.selectFrom('jobs').select('status').where('id', '=', job).executeTakeFirst();
  if (row === undefined || TERMINAL.has(row.status)) {
    throw new DelosError('ERR_UNAUTHENTICATED', 'the credential was that of a build, and its job has ended');
  }
  const caller = await callerById(user);
  if (repository !== undefined) {
    const uri = `image://${settings.cluster}/${repository}`;
    const of = projectOfRepository(repository);
    const may =
      (of !== undefined && isAllowed(caller, caller.roles.get(`${of.org}/${of.project}`), 'write')) ||
      isGranted(caller, [uri], 'write');
    return {
      ...caller,
      admin: false,
      orgs: new Map(),
      roles: new Map(),
      grants: may ? [{ uri, action: 'write' as const }] : [],
    };
  }
  const writes = push.filter((project) => isAllowed(caller, caller.roles.get(project), 'write'));
  return {
    ...caller,
    admin: false,
    orgs: new Map(),
    grants: (caller.grants ?? []).map(({ uri }) => ({ uri, action: 'read' as const })),
    roles: new Map([
      ...[...caller.roles.keys()].map((project) => [project, 'reader'] as const),
      ...writes.map((project) => [project, 'writer'] as const),
    ]),
  };
}
