import { DelosError } from '@delos/core';
import {
  type Account,
  faultOf,
  type Grains,
  grant,
  LedgerFault,
  move,
  organizationAccount,
  projectAccount,
  type Transaction,
} from '@delos/ledger';
import { sql } from 'kysely';
import type { Db, Tx } from '../schema.ts';

/** An organization, or a project of it. */
export interface Holder {
  readonly org: string;
  readonly project?: string | undefined;
}

export const accountOf = ({ org, project }: Holder): Account =>
  project === undefined ? organizationAccount(org) : projectAccount(org, project);

/** Seconds since 1970, whole. */
export const secondOf = (at: Date): number => Math.floor(at.getTime() / 1000);

/**
 * Writes transactions as they are. The database refuses a key that is there, an entry that unbalances, and a hold below
 * nothing: all of the caller's transaction goes then. Accounts are locked in the order of their names.
 * @throws LedgerFault where one is wrong by itself
 */
export async function writeTransactions(tx: Tx, of: Holder, transactions: readonly Transaction[]): Promise<void> {
  for (const transaction of transactions) {
    const fault = faultOf(transaction);
    if (fault !== undefined) throw new LedgerFault(fault);
    const { key, kind, at, stretch, payer, by, why } = transaction;
    await tx
      .insertInto('credit_transactions')
      .values({
        ...{ key, kind, at, org: of.org, project: of.project ?? null },
        job: stretch?.job ?? null,
        run: stretch?.run ?? null,
        from_second: stretch?.from ?? null,
        to_second: stretch?.to ?? null,
        payer: payer ?? null,
        by_whom: by ?? null,
        why: why ?? null,
      })
      .execute();
    const entries = [...transaction.entries].sort((a, b) => (a.account < b.account ? -1 : 1));
    for (const { account, grains } of entries) {
      await tx
        .insertInto('credit_entries')
        .values({ transaction: key, account, grains: String(grains) })
        .execute();
    }
  }
}

export interface Given {
  readonly to: Holder;
  /** Negative: taken back. */
  readonly grains: Grains;
  /** What makes two requests one. */
  readonly key: string;
  readonly by: string;
  readonly why: string;
}

/**
 * Gives credits to an organization, or sets some of its credits aside for a project. Asked twice with one key it is done once.
 * @returns whether it was done now
 * @throws DelosError ERR_NOT_FOUND where there is no such holder; ERR_CONFLICT where the key was used for something else, or a
 *   project is given more than its organization has
 */
export async function giveCredits(tx: Tx, { to, grains, key, by, why }: Given, now: Date): Promise<boolean> {
  await requireHolder(tx, to);
  const account = accountOf(to);
  const asked = { key, at: secondOf(now), by, why };
  const from = organizationAccount(to.org);
  const transaction = to.project === undefined ? grant(account, grains, asked) : move(from, account, grains, asked);
  await sql`select pg_advisory_xact_lock(hashtextextended(${transaction.key}, 0))`.execute(tx);
  const same = await tx
    .selectFrom('credit_entries')
    .select('grains')
    .where('transaction', '=', transaction.key)
    .where('account', '=', account)
    .executeTakeFirst();
  if (same !== undefined) {
    if (BigInt(same.grains) === grains) return false;
    throw new DelosError('ERR_CONFLICT', `the key ${key} was used for another amount`, { hint: 'give another key' });
  }
  if (to.project !== undefined) {
    const left = (await balanceOf(tx, from, true)) ?? 0n;
    const own = (await balanceOf(tx, account, true)) ?? 0n;
    if (grains > left || own + grains < 0n) {
      throw new DelosError(
        'ERR_CONFLICT',
        `${grains > left ? `organization ${to.org}` : `project ${to.org}/${to.project}`} has not so many credits left`,
        {
          hint: 'delos credits show says how many there are',
        },
      );
    }
  }
  await writeTransactions(tx, to, [transaction]);
  return true;
}

async function requireHolder(tx: Tx, { org, project }: Holder): Promise<void> {
  const found =
    project === undefined
      ? await tx.selectFrom('organizations').select('name').where('name', '=', org).executeTakeFirst()
      : await tx
          .selectFrom('projects')
          .select('name')
          .where('org', '=', org)
          .where('name', '=', project)
          .executeTakeFirst();
  if (found !== undefined) return;
  const what = project === undefined ? `organization ${org}` : `project ${org}/${project}`;
  throw new DelosError('ERR_NOT_FOUND', `there is no ${what}`, { hint: 'delos credits show lists who has credits' });
}

/**
 * Undefined: it never had any.
 * @param lock nobody else changes it until the transaction ends
 */
export async function balanceOf(db: Db, account: Account, lock = false): Promise<Grains | undefined> {
  const row = await db
    .selectFrom('credit_balances')
    .select('grains')
    .where('account', '=', account)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirst();
  return row === undefined ? undefined : BigInt(row.grains);
}

/** All that was written, in order, page by page. @param org of one organization alone */
async function* readTransactions(db: Db, org?: string): AsyncGenerator<Transaction> {
  for (let last = 0; ; ) {
    const rows = await db
      .selectFrom('credit_transactions as t')
      .selectAll('t')
      .select(
        sql<{ account: string; grains: string }[]>`(select json_agg(json_build_object('account', account,
          'grains', grains::text) order by account) from credit_entries where transaction = t.key)`.as('entries'),
      )
      .where('seq', '>', last)
      .$if(org !== undefined, (query) => query.where('org', '=', org ?? ''))
      .orderBy('seq')
      .limit(PAGE)
      .execute();
    for (const row of rows) {
      const { key, kind, at, job, run, from_second: from, to_second: to, payer, by_whom: by, why } = row;
      const isOfRun = job !== null && run !== null && from !== null && to !== null;
      yield {
        ...{ key, kind, at },
        entries: row.entries.map(({ account, grains }) => ({ account, grains: BigInt(grains) })),
        ...(isOfRun ? { stretch: { job, run, from, to } } : {}),
        ...(payer === null ? {} : { payer }),
        ...(by === null ? {} : { by }),
        ...(why === null ? {} : { why }),
      };
    }
    const end = rows.at(-1)?.seq;
    if (rows.length < PAGE || end === undefined) return;
    last = end;
  }
}

/** All of them at once. */
export async function allTransactions(db: Db, org?: string): Promise<readonly Transaction[]> {
  const all: Transaction[] = [];
  for await (const transaction of readTransactions(db, org)) all.push(transaction);
  return all;
}

const PAGE = 1_000;

/** Every balance as the database keeps it. */
export async function readBalances(db: Db): Promise<ReadonlyMap<Account, Grains>> {
  const rows = await db.selectFrom('credit_balances').selectAll().execute();
  return new Map(rows.map(({ account, grains }) => [account, BigInt(grains)]));
}
