import { DelosError } from '@delos/core';
import type { Db, Tx } from '../schema.ts';
import { heldOrganization } from './organizations.ts';
import { isNot, refuseDeclared, tellChange } from './rule.ts';

/*
 * Quotas of single people in an organization: how many jobs of theirs run at once in all its projects together, on each cluster.
 */

export interface Person {
  readonly org: string;
  readonly user: string;
}

/** Most running jobs: as many, so many more (less, below 0) than now, or any number. */
export type QuotaChange = { readonly to: number | null } | { readonly by: number };

/**
 * @returns what holds from now on; null: no limit. Without a limit there is nothing to add to, and it stays so.
 * @throws DelosError ERR_NOT_FOUND for who is no member of the organization or one of its projects; ERR_CONFLICT where delos.yaml
 * says it; ERR_REQUEST for less than none
 */
export async function setPersonQuota(tx: Tx, person: Person, change: QuotaChange): Promise<number | null> {
  const { org, user } = person;
  await heldOrganization(tx, org);
  await requirePerson(tx, person);
  const row = await tx
    .selectFrom('person_quotas')
    .selectAll()
    .where('org', '=', org)
    .where('user_name', '=', user)
    .executeTakeFirst();
  const now = row?.quota.runningJobs ?? null;
  const then = 'to' in change ? change.to : now === null ? null : now + change.by;
  if (then === now) return now;
  if (then !== null && (then < 0 || then > MOST_JOBS)) {
    throw new DelosError('ERR_REQUEST', `a quota is 0 to ${MOST_JOBS} running jobs, and this would be ${then}`, {
      hint: 'without a limit: apolo admin set-user-quota CLUSTER USER --org ORG --jobs unlimited',
    });
  }
  if (row !== undefined) refuseDeclared(row, `the quota of ${user} in organization ${org}`);
  if (then === null) {
    await tx.deleteFrom('person_quotas').where('org', '=', org).where('user_name', '=', user).execute();
  } else {
    const quota = JSON.stringify({ runningJobs: then });
    await tx
      .insertInto('person_quotas')
      .values({ org, user_name: user, quota, declared: false })
      .onConflict((on) => on.columns(['org', 'user_name']).doUpdateSet({ quota }))
      .execute();
  }
  await tellChange(tx);
  return then;
}

const MOST_JOBS = 1_000_000_000;

async function requirePerson(tx: Tx, { org, user }: Person): Promise<void> {
  for (const table of ['org_members', 'members'] as const) {
    const row = await tx
      .selectFrom(table)
      .select('user_name')
      .where('org', '=', org)
      .where('user_name', '=', user)
      .executeTakeFirst();
    if (row !== undefined) return;
  }
  throw isNot(`user ${user} in organization ${org}`);
}

/** Most running jobs, of those who have such a quota. */
export async function personQuotas(db: Db, org: string): Promise<ReadonlyMap<string, number>> {
  const rows = await db.selectFrom('person_quotas').select(['user_name', 'quota']).where('org', '=', org).execute();
  return new Map(
    rows.flatMap(({ user_name: user, quota: { runningJobs } }): [string, number][] =>
      runningJobs === undefined ? [] : [[user, runningJobs]],
    ),
  );
}
