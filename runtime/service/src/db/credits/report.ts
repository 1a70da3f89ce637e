import type { CreditsRecord, CreditsStatement } from '@delos/core';
import { creditsText, endOf, type Grains, judge, lawsBroken, priceAt, type Scope, statementOf } from '@delos/ledger';
import { sql } from 'kysely';
import type { Db } from '../schema.ts';
import { accountOf, allTransactions, type Holder, readBalances, secondOf } from './books.ts';
import { pricesOf, standingOf } from './scopes.ts';
import { creditTerms } from './terms.ts';

const timeOf = (second: number): string => new Date(second * 1000).toISOString();
/** What is kept is exact; what is told has nine digits after the point. */
const told = (grains: Grains): string => creditsText(grains, 9).replace(/\.?0+$/, '');

/**
 * How organizations and their projects stand, as far as anybody gave them credits.
 * @param orgs of these alone
 */
export async function creditsReport(db: Db, now: Date, orgs?: readonly string[]): Promise<readonly CreditsRecord[]> {
  const { rows } = await sql<{ org: string; project: string | null; held: string; spent: string }>`
    select h.org, h.project,
      coalesce((select sum(held) from credit_runs r where not closed and r.org = h.org
        and (h.project is null or r.project = h.project)), 0)::text as held,
      coalesce((select sum(grains) from credit_spent s where s.org = h.org
        and (h.project is null or s.project = h.project)), 0)::text as spent
    from (
      select name as org, null as project from organizations
      union all select org, name from projects
        where budget is not null or exists (select from credit_balances where account = 'project:' || org || '/' || name)
    ) h
    where exists (select from credit_balances where account = 'organization:' || h.org)
    order by h.org, h.project nulls first`.execute(db);
  const wanted = rows.filter(({ org }) => orgs?.includes(org) !== false);
  const { graceSeconds } = await creditTerms(db);
  const second = secondOf(now);
  const records: CreditsRecord[] = [];
  for (const { org, project, held, spent } of wanted) {
    const standing = await standingOf(db, { org, project: project ?? '' }, second);
    const scope: Scope | undefined = standing?.scopes[project === null ? 0 : 1];
    if (scope === undefined) continue;
    const burn = await burnOf(db, { org, project: project ?? undefined }, second);
    const end = scope.balance === undefined ? undefined : endOf(scope.balance + BigInt(held), burn, second);
    records.push({
      ...{ org, project },
      credits: scope.balance === undefined ? null : told(scope.balance),
      held: told(BigInt(held)),
      spent: told(BigInt(spent)),
      budget:
        scope.budget === undefined
          ? null
          : { credits: told(scope.budget.grains), period: scope.budget.period, spent: told(scope.budget.spent) },
      // A year that no Date has is never.
      endsAt: end === undefined || end > LATEST ? null : timeOf(end),
      closed: judge(scope, second, graceSeconds).closed ?? null,
    });
  }
  return records;
}

const LATEST = 250_000_000_000;

/** What all its jobs that run cost in a second. */
async function burnOf(db: Db, { org, project }: Holder, now: number): Promise<Grains> {
  const account = accountOf({ org, project });
  const rows = await db
    .selectFrom('credit_runs')
    .select(['cluster', 'preset', 'price', sql<number>`count(*)::int`.as('jobs')])
    .where('payer', '=', account)
    .where('started', 'is not', null)
    .where('ended', 'is', null)
    .where('closed', '=', false)
    .groupBy(['cluster', 'preset', 'price'])
    .execute();
  let sum = 0n;
  for (const { cluster, preset, price, jobs } of rows) {
    sum += priceAt(await pricesOf(db, cluster, preset, BigInt(price)), now) * BigInt(jobs);
  }
  return sum;
}

/** What a holder had and got in a while. */
export async function creditsStatementOf(db: Db, of: Holder, from: Date, to: Date): Promise<CreditsStatement> {
  const transactions = await allTransactions(db, of.org);
  const span = { from: secondOf(from), to: secondOf(to) };
  const { opening, lines, closing } = statementOf(accountOf(of), transactions, span);
  return {
    org: of.org,
    project: of.project ?? null,
    from: timeOf(span.from),
    to: timeOf(span.to),
    opening: told(opening),
    lines: lines.map(({ at, kind, job, seconds, by, why, grains }) => ({
      at: timeOf(at),
      kind,
      job: job ?? null,
      seconds: seconds ?? null,
      by: by ?? null,
      why: why ?? null,
      credits: told(grains),
    })),
    closing: told(closing),
  };
}

/** Everything that was ever written is added up again, and held against the laws of the books and the balances. */
export async function verifyCredits(
  db: Db,
): Promise<{ readonly transactions: number; readonly faults: readonly string[] }> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const transactions = await allTransactions(tx);
      return { transactions: transactions.length, faults: lawsBroken(transactions, await readBalances(tx)) };
    });
}
