import {
  type Account,
  type Grains,
  grainsOf,
  organizationAccount,
  PERIODS,
  type Period,
  type Prices,
  periodAt,
  projectAccount,
  type Scope,
} from '@delos/ledger';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Db } from '../schema.ts';

/** What is paid from, and counted in, for the jobs of one project. */
export interface Standing {
  /** Whose credits they are: the project's where some were set aside for it, else its organization's. */
  readonly payer: Account;
  readonly scopes: readonly Scope[];
}

const DAY = 86_400;
const budget = z.object({ credits: z.string(), period: z.enum(PERIODS) });

/**
 * How an organization and a project of it stand; undefined: jobs there are not charged, since nobody gave credits.
 * @param lock what they are paid from is changed by nobody else until the transaction ends
 */
export async function standingOf(
  db: Db,
  { org, project }: { readonly org: string; readonly project: string },
  now: number,
  lock = false,
): Promise<Standing | undefined> {
  const accounts = [organizationAccount(org), projectAccount(org, project)] as const;
  const rows = await db
    .selectFrom('credit_balances')
    .selectAll()
    .where('account', 'in', accounts)
    .orderBy('account')
    .$if(lock, (query) => query.forUpdate())
    .execute();
  const [ofOrg, ofProject] = accounts.map((account) => rows.find((row) => row.account === account)?.grains);
  if (ofOrg === undefined) return undefined;
  const { rows: said } = await sql<{ project: string; budget: unknown; empty_since: number | null }>`
    select u.project, u.budget, s.empty_since from (
      select '' as project, budget from organizations where name = ${org}
      union all select name, budget from projects where org = ${org} and name = ${project}
    ) u left join credit_standing s on s.org = ${org} and s.project = u.project`.execute(db);
  const scopeOf = async (name: string, of: string, balance: string | undefined): Promise<Scope> => {
    const facts = said.find((row) => row.project === of);
    const parsed = budget.safeParse(facts?.budget);
    const scope = {
      name,
      balance: balance === undefined ? undefined : BigInt(balance),
      emptySince: facts?.empty_since ?? undefined,
    };
    if (!parsed.success) return scope;
    const { credits, period } = parsed.data;
    const spent = await spentIn(db, org, of === '' ? undefined : of, period, now);
    return { ...scope, budget: { grains: grainsOf(credits), period, spent } };
  };
  return {
    payer: ofProject === undefined ? accounts[0] : accounts[1],
    scopes: [
      // What was set aside for a project is not the organization's to run out of.
      await scopeOf(`organization ${org}`, '', ofProject === undefined ? ofOrg : undefined),
      await scopeOf(`project ${org}/${project}`, project, ofProject),
    ],
  };
}

/** Charged in the period of now, less what was given back, and held. */
async function spentIn(db: Db, org: string, project: string | undefined, period: Period, now: number): Promise<Grains> {
  const { from, to } = periodAt(period, now);
  const { rows } = await sql<{ grains: string }>`
    select (coalesce((select sum(grains) from credit_spent
        where org = ${org} and (${project ?? null}::text is null or project = ${project ?? null})
          and day >= ${from / DAY} and day < ${to / DAY}), 0)
      + coalesce((select sum(held) from credit_runs
        where not closed and org = ${org} and (${project ?? null}::text is null or project = ${project ?? null})), 0))::text
      as grains`.execute(db);
  return BigInt(rows[0]?.grains ?? 0);
}

/** Prices of a preset, the earliest first. @param own what it costs where no price is known of it */
export async function pricesOf(db: Db, cluster: string, preset: string, own: bigint): Promise<Prices> {
  const rows = await db
    .selectFrom('credit_prices')
    .select(['from_at', 'price'])
    .where('cluster', '=', cluster)
    .where('preset', '=', preset)
    .orderBy('from_at')
    .execute();
  if (rows.length === 0) return [{ from: 0, price: own }];
  return rows.map(({ from_at: from, price }) => ({ from, price: BigInt(price) }));
}
