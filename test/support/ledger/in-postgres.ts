import { type Account, GRAINS_PER_CREDIT, grainsOf, lawsBroken } from '@delos/ledger';
import { expect } from 'vitest';
import { allTransactions, giveCredits, readBalances } from '../../../runtime/service/src/db/credits/books.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';

/** Gives credits, each time anew. */
export async function give(database: Database, org: string, credits: string, project?: string): Promise<void> {
  const given = { to: { org, project }, grains: grainsOf(credits), key: crypto.randomUUID(), by: 'ann', why: 'a test' };
  await database.tx((tx) => giveCredits(tx, given, new Date()));
}

/** What an account has, in whole credits. */
export async function creditsOf(database: Database, account: Account): Promise<number> {
  return Number((await readBalances(database.db)).get(account) ?? 0n) / Number(GRAINS_PER_CREDIT);
}

/** The books as PostgreSQL has them prove themselves, and so do the runs' own notes. */
export async function expectSoundBooks({ db }: Pick<Database, 'db'>): Promise<void> {
  const transactions = await allTransactions(db);
  expect(lawsBroken(transactions, await readBalances(db))).toEqual([]);
  const runs = await db.selectFrom('credit_runs').selectAll().execute();
  for (const run of runs) {
    const own = transactions.filter(({ key }) => key.split('/').slice(1, 3).join('/') === `${run.job}/${run.run}`);
    const sum = (account: Account): bigint =>
      own
        .flatMap(({ entries }) => entries)
        .reduce((all, each) => (each.account === account ? all + each.grains : all), 0n);
    expect([sum('platform:revenue'), sum(`hold:${run.job}/${run.run}`)].map(String)).toEqual([run.charged, run.held]);
  }
}
