import { DelosError } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../schema.ts';

/** Names of the clusters that take jobs: the platform's own first, then those that have joined, as they joined. */
export async function presentClusters(db: Db | Tx, own: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('clusters')
    .select('name')
    .where('joined_at', 'is not', null)
    .where('leaving_at', 'is', null)
    // It says what it offers as soon as its agent is connected.
    .where(sql<SqlBool>`presets <> '[]'::jsonb`)
    .where('name', '<>', own)
    .orderBy('joined_at')
    .orderBy('name')
    .execute();
  return [own, ...rows.map(({ name }) => name)];
}

/** Every cluster that may have jobs: those that are leaving as well. */
export async function heldClusters(db: Db | Tx, own: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('clusters')
    .select('name')
    .where('joined_at', 'is not', null)
    .where('name', '<>', own)
    .orderBy('name')
    .execute();
  return [own, ...rows.map(({ name }) => name)];
}

/** @throws DelosError ERR_REQUEST for a cluster that takes no jobs */
export async function requirePresent(db: Db | Tx, own: string, wanted: string): Promise<string> {
  if (wanted === own) return own;
  const present = await presentClusters(db, own);
  if (present.includes(wanted)) return wanted;
  throw new DelosError(
    'ERR_REQUEST',
    `there is no cluster ${JSON.stringify(wanted)}; there are: ${present.join(', ')}`,
    {
      where: { field: 'cluster_name' },
      hint: 'apolo config get-clusters lists them; apolo config switch-cluster changes it',
    },
  );
}
