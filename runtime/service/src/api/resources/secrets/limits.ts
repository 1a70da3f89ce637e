import {
  CLUSTER_REGISTRY_SECRET_PREFIX,
  DelosError,
  isClusterRegistrySecret,
  isRegistrySecret,
  isUserRegistrySecret,
  REGISTRY_SECRET_PREFIX,
  USER_REGISTRY_SECRET_PREFIX,
} from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../../../db/schema.ts';
import type { SecretPlace } from '../../../db/secrets/rows.ts';

/** Secrets of one project. */
export const MOST_SECRETS = 500;
/** Of these, such as images are pulled by: all of them are looked through for a job. */
export const MOST_REGISTRY_SECRETS = 16;
/** The same of the cluster, wherever they are kept. */
export const MOST_CLUSTER_REGISTRY_SECRETS = 16;
/** Bytes of all values of one project: they lie in the database. */
export const MOST_BYTES = 32 * 2 ** 20;

/**
 * Counts a new value against the project's limits. Requests of one project are judged one after another, so that many at
 * once do not pass together.
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function checkSecretLimits(tx: Tx, place: SecretPlace, bytes: number, owner?: string): Promise<void> {
  const { cluster, org, project, name } = place;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`secrets of project ${org}/${project}`}, 0))`.execute(tx);
  const { rows } = await sql<{ others: number; registries: number; bytes: number }>`
    select count(*)::int as others, count(*) filter (where name like ${`${REGISTRY_SECRET_PREFIX}%`})::int as registries,
      coalesce(sum(bytes), 0)::bigint as bytes from secrets
    where cluster = ${cluster} and org = ${org} and project = ${project} and name <> ${name}`.execute(tx);
  const held = rows[0] ?? { others: 0, registries: 0, bytes: 0 };
  const full = (what: string): DelosError =>
    new DelosError('ERR_QUOTA_EXCEEDED', `project ${org}/${project} has ${what}, the most of one project`, {
      hint: 'remove some: apolo secret ls, apolo secret rm KEY',
    });
  if (isRegistrySecret(name) && held.registries >= MOST_REGISTRY_SECRETS) {
    throw full(`${held.registries} secrets to pull images by`);
  }
  await checkWideLimits(tx, place, owner);
  if (held.others >= MOST_SECRETS) throw full(`${held.others} secrets`);
  if (held.bytes + bytes > MOST_BYTES) throw full(`secrets of ${MOST_BYTES / 2 ** 20} MiB with this one`);
}

/** Secrets to pull by that count beyond their project: those of one user, and those of the cluster, wherever they are kept. */
async function checkWideLimits(tx: Tx, { cluster, org, project, name }: SecretPlace, owner?: string): Promise<void> {
  const ofUser = isUserRegistrySecret(name);
  if (ofUser ? owner === undefined : !isClusterRegistrySecret(name)) return;
  const whose = ofUser ? `user ${owner}` : `cluster ${cluster}`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`registry secrets of ${whose}`}, 0))`.execute(tx);
  const others = await tx
    .selectFrom('secrets')
    .select('name')
    .where('cluster', '=', cluster)
    .where('name', 'like', `${ofUser ? USER_REGISTRY_SECRET_PREFIX : CLUSTER_REGISTRY_SECRET_PREFIX}%`)
    .where(({ not, and, eb }) => not(and([eb('org', '=', org), eb('project', '=', project), eb('name', '=', name)])))
    .$if(ofUser, (query) => query.where('owner', '=', owner ?? ''))
    .execute();
  const most = ofUser ? MOST_REGISTRY_SECRETS : MOST_CLUSTER_REGISTRY_SECRETS;
  if (others.filter((row) => isUserRegistrySecret(row.name) === ofUser).length < most) return;
  throw new DelosError('ERR_QUOTA_EXCEEDED', `${whose} has ${most} secrets to pull images by, the most of one`, {
    hint: 'put several registries into one, or remove some: apolo secret ls, apolo secret rm KEY',
  });
}
