import type { DiskDesire } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import type { DesireSource } from './desire-source.ts';
import { claimRemoved, recordClaim } from './disks-state.ts';
import { DISK_CHANGED } from './notifications.ts';
import type { Db, DiskRow, Tx } from './schema.ts';

/** A row has a few hundred bytes. */
const PAGE = 500;

const change = z.object({ id: z.string(), cluster: z.string() });

function desiredOf({ id, revision, phase, namespace, org, project, storage, claim_uid }: DiskRow): DiskDesire {
  // One that is marked is still used.
  const action = phase === 'removing' ? 'remove' : 'keep';
  return { kind: 'disk', id, revision, spec: { action, namespace, org, project, storage, claimUid: claim_uid } };
}

async function* desiredWhere(
  db: Db | Tx,
  condition: ReturnType<typeof sql<SqlBool>>,
): AsyncGenerator<readonly DiskDesire[]> {
  for (let last = ''; ; ) {
    const rows = await db
      .selectFrom('disks')
      .selectAll()
      .where(condition)
      .where('id', '>', last)
      .orderBy('id')
      .limit(PAGE)
      .execute();
    if (rows.length > 0) yield rows.map(desiredOf);
    const end = rows.at(-1)?.id;
    if (rows.length < PAGE || end === undefined) return;
    last = end;
  }
}

/** What is desired of disks, and where the agent's reports of them go. */
export const desiredDisks: DesireSource<'disk'> = {
  kind: 'disk',
  list: (db, cluster) => desiredWhere(db, sql<SqlBool>`cluster = ${cluster}`),
  find: (db, cluster, ids) => desiredWhere(db, sql<SqlBool>`id = any (${[...ids]}::text[]) and cluster = ${cluster}`),
  onChange: (notifications, cluster, changed) =>
    notifications.on(DISK_CHANGED, (payload) => {
      const parsed = change.parse(JSON.parse(payload));
      if (parsed.cluster === cluster) changed(parsed.id);
    }),
  record: async (tx, cluster, report) => {
    if (report.type === 'removed') await claimRemoved(tx, report.id, cluster);
    else await recordClaim(tx, report.id, report.observation, cluster);
  },
};
