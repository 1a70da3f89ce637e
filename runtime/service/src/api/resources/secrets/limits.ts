import { DelosError, isRegistrySecret, REGISTRY_SECRET_PREFIX } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../../../db/schema.ts';
import type { SecretPlace } from '../../../db/secrets/rows.ts';

/** Secrets of one project. */
export const MOST_SECRETS = 500;
/** Of these, such as images are pulled by: all of them are looked through for a job. */
export const MOST_REGISTRY_SECRETS = 16;
/** Bytes of all values of one project: they lie in the database. */
export const MOST_BYTES = 32 * 2 ** 20;

/**
 * Counts a new value against the project's limits. Requests of one project are judged one after another, so that many at
 * once do not pass together.
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function checkSecretLimits(tx: Tx, place: SecretPlace, bytes: number): Promise<void> {
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
  if (held.others >= MOST_SECRETS) throw full(`${held.others} secrets`);
  if (held.bytes + bytes > MOST_BYTES) throw full(`secrets of ${MOST_BYTES / 2 ** 20} MiB with this one`);
}
