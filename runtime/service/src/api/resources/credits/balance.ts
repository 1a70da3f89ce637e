import { creditsText, grainsOf } from '@delos/ledger';
import { sql } from 'kysely';
import { balanceOf, giveCredits } from '../../../db/credits/books.ts';
import type { Db, Tx } from '../../../db/schema.ts';

/** As the official client reads it; without `credits` there is no limit. */
export interface ClientBalance {
  readonly credits?: string;
  readonly spent_credits: string;
}

/** What an organization has left for new jobs, and has spent in all. */
export async function balanceOfOrg(db: Db, org: string): Promise<ClientBalance> {
  const left = await balanceOf(db, `organization:${org}`);
  const { rows } = await sql<{ grains: string }>`
    select coalesce(sum(grains), 0)::text as grains from credit_spent where org = ${org}`.execute(db);
  return {
    ...(left === undefined ? {} : { credits: creditsText(left) }),
    spent_credits: creditsText(BigInt(rows[0]?.grains ?? 0)),
  };
}

/** Gives an organization so many credits that it has this many left. */
export async function setCredits(
  tx: Tx,
  org: string,
  credits: string,
  asked: { readonly key: string; readonly by: string; readonly why: string },
): Promise<void> {
  const left = (await balanceOf(tx, `organization:${org}`, true)) ?? 0n;
  const grains = grainsOf(credits) - left;
  if (grains !== 0n) await giveCredits(tx, { to: { org }, grains, ...asked }, new Date());
}
