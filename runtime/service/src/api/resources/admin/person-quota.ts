import type { OrgRole, Quota } from '@delos/core';
import { z } from 'zod';
import type { Tx } from '../../../db/schema.ts';
import { type Person, personQuotas, type QuotaChange, setPersonQuota } from '../../../db/tenancy/person-quotas.ts';
import { runningJobs } from './json.ts';

/* The quota of one person as the official client says it. */

/** Most running jobs, where a request may be silent of it. */
export const quotaIfGiven = z.object({ total_running_jobs: runningJobs }).nullish();
const changeTo = (given: z.infer<typeof quotaIfGiven>): number | null | undefined =>
  given === null || given === undefined ? undefined : (given.total_running_jobs ?? null);

/** A quota of one person, or what is added to it. */
export const personQuotaRequest = z.union([
  z.strictObject({ quota: z.object({ total_running_jobs: runningJobs }) }),
  z.strictObject({
    additional_quota: z.object({
      total_running_jobs: z.coerce.number().int().min(-1_000_000_000).max(1_000_000_000).nullish(),
    }),
  }),
]);
export const quotaChange = (given: z.infer<typeof personQuotaRequest>): QuotaChange =>
  'quota' in given
    ? { to: given.quota.total_running_jobs ?? null }
    : { by: given.additional_quota.total_running_jobs ?? 0 };

export async function roleIn(tx: Tx, org: string, user: string): Promise<OrgRole | undefined> {
  const row = await tx
    .selectFrom('org_members')
    .select('role')
    .where('org', '=', org)
    .where('user_name', '=', user)
    .executeTakeFirst();
  return row?.role;
}

/** Of somebody whose role was given: changed where the request says so. */
export async function quotaOf(tx: Tx, person: Person, given: z.infer<typeof quotaIfGiven>): Promise<Quota> {
  const to = changeTo(given);
  const runningJobs =
    to === undefined ? (await personQuotas(tx, person.org)).get(person.user) : await setPersonQuota(tx, person, { to });
  return typeof runningJobs === 'number' ? { runningJobs } : {};
}
