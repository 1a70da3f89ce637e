import { judge, type Run, type Scope, settle, settledBy } from '@delos/ledger';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { notifyJobChanged, stopJob } from '../jobs-state.ts';
import type { Db, Tx } from '../schema.ts';
import { secondOf, writeTransactions } from './books.ts';
import { creditsMissing } from './runs.ts';
import { pricesOf, standingOf } from './scopes.ts';
import { type CreditTerms, creditTerms } from './terms.ts';

/** A pass looks at so many runs at most; what is left is the next one's. */
const MOST_RUNS = 500;
/** Jobs that wait for credits and are asked about in one pass, of one project. */
const MOST_WAITING = 100;

/**
 * One pass over the runs of a cluster: charges those that are due, settles those that are over, and does what follows for jobs.
 * Each run is a transaction of its own, so that a pass may be ended anywhere and done again, and two may run at once.
 * @returns how many runs something was written of
 */
export async function chargeRuns(db: Db, cluster: string, log: Logger): Promise<number> {
  const terms = await creditTerms(db);
  const now = secondOf(new Date());
  const due = await db
    .selectFrom('credit_runs')
    .select(['job', 'run'])
    .where('cluster', '=', cluster)
    .where('closed', '=', false)
    .where((eb) =>
      eb.or([eb('over', '=', true), eb(eb.fn.coalesce('charged_to', 'started'), '<=', now - terms.chargeSeconds)]),
    )
    .orderBy('over', 'desc')
    .limit(MOST_RUNS)
    .execute();
  let written = 0;
  for (const { job, run } of due) {
    if (await db.transaction().execute((tx) => chargeRun(tx, job, run, terms))) written += 1;
  }
  await judgeAll(db, cluster, terms, log);
  return written;
}

/** @returns whether something was written */
export async function chargeRun(tx: Tx, job: string, number: number, terms: CreditTerms): Promise<boolean> {
  const row = await tx
    .selectFrom('credit_runs')
    .selectAll()
    .where('job', '=', job)
    .where('run', '=', number)
    .where('closed', '=', false)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return false;
  const { payer, over, taken_away: takenAway } = row;
  const run: Run = {
    ...{ job, run: number, payer, over, takenAway },
    prices: await pricesOf(tx, row.cluster, row.preset, BigInt(row.price)),
    started: row.started ?? undefined,
    ended: row.ended ?? undefined,
  };
  const settled = { held: BigInt(row.held), chargedTo: row.charged_to ?? undefined, closed: row.closed };
  const transactions = settle(run, settled, secondOf(new Date()), terms);
  if (transactions.length === 0 && !over) return false;
  await writeTransactions(tx, row, transactions);
  const after = settledBy(run, settled, transactions);
  const revenue = transactions
    .flatMap(({ entries }) => entries)
    .reduce((sum, { account, grains }) => (account === 'platform:revenue' ? sum + grains : sum), 0n);
  await tx
    .updateTable('credit_runs')
    .set({
      held: String(after.held),
      charged_to: after.chargedTo ?? null,
      charged: String(BigInt(row.charged) + revenue),
      closed: after.closed,
    })
    .where('job', '=', job)
    .where('run', '=', number)
    .execute();
  return true;
}

/** Who has nothing left is noted, and so is who has again. Jobs are ended when their time is over, or wait no longer. */
async function judgeAll(db: Db, cluster: string, terms: CreditTerms, log: Logger): Promise<void> {
  const { rows: projects } = await sql<{ org: string; project: string }>`
    select distinct org, project from credit_runs where cluster = ${cluster} and not closed
    union select distinct org, project from jobs
      where cluster = ${cluster} and phase = 'queued' and held_for is not null
    union select org, project from credit_standing where project <> ''`.execute(db);
  const now = secondOf(new Date());
  for (const { org, project } of projects) {
    const standing = await standingOf(db, { org, project }, now);
    if (standing === undefined) continue;
    const [ofOrg, ofProject] = standing.scopes;
    const ends: number[] = [];
    for (const [scope, of] of [
      [ofOrg, ''],
      [ofProject, project],
    ] as const) {
      if (scope === undefined) continue;
      const since = await noteStanding(db, { org, project: of }, scope, now);
      const { endsAt } = judge({ ...scope, emptySince: since }, now, terms.graceSeconds);
      if (endsAt !== undefined) ends.push(endsAt);
    }
    if (ends.some((at) => at <= now)) await endJobs(db, { cluster, org, project }, standing.scopes, now, log);
    await freeWaiting(db, { cluster, org, project }, terms);
  }
}

/** @returns since when it has nothing left; undefined: it has */
async function noteStanding(
  db: Db,
  of: { readonly org: string; readonly project: string },
  scope: Scope,
  now: number,
): Promise<number | undefined> {
  if (judge(scope, now, 0).closed !== undefined) {
    await db
      .insertInto('credit_standing')
      .values({ ...of, empty_since: now })
      .onConflict((on) => on.doNothing())
      .execute();
    return scope.emptySince ?? now;
  }
  if (scope.emptySince !== undefined) {
    await db.deleteFrom('credit_standing').where('org', '=', of.org).where('project', '=', of.project).execute();
  }
  return undefined;
}

interface Place {
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
}

/** Ends the jobs of a project that cost something. */
async function endJobs(db: Db, place: Place, scopes: readonly Scope[], now: number, log: Logger): Promise<void> {
  const why = scopes.map((scope) => judge(scope, now, 0).closed).find((words) => words !== undefined);
  const rows = await db
    .selectFrom('credit_runs')
    .select(['job', 'preset', 'price'])
    .where('cluster', '=', place.cluster)
    .where('org', '=', place.org)
    .where('project', '=', place.project)
    .where('over', '=', false)
    .where('ended', 'is', null)
    .execute();
  for (const { job, preset, price } of rows) {
    const prices = await pricesOf(db, place.cluster, preset, BigInt(price));
    if ((prices.findLast(({ from }) => from <= now)?.price ?? 0n) === 0n) continue;
    log.info({ job, reason: why }, 'ended for want of credits');
    const description = `ended for want of credits: ${why ?? 'nothing is left'}`;
    await db
      .transaction()
      .execute((tx) => stopJob(tx, job, { status: 'cancelled', reason: 'CreditsEnded', description }));
  }
}

/** Jobs that wait for credits and can be paid for wait for room from now on, as the others do. */
async function freeWaiting(db: Db, place: Place, terms: CreditTerms): Promise<void> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('cluster', '=', place.cluster)
    .where('org', '=', place.org)
    .where('project', '=', place.project)
    .where('phase', '=', 'queued')
    .where('held_for', 'is not', null)
    .orderBy('priority', 'desc')
    .orderBy('created_at')
    .limit(MOST_WAITING)
    .execute();
  for (const row of rows) {
    await db.transaction().execute(async (tx) => {
      const why = await creditsMissing(tx, row, terms);
      if (why === row.held_for) return;
      const changed = await tx
        .updateTable('jobs')
        .set({ held_for: why ?? null, ...(why === undefined ? {} : { status_description: sentence(why) }) })
        .where('id', '=', row.id)
        .where('phase', '=', 'queued')
        .returning(['id', 'phase', 'cluster'])
        .executeTakeFirst();
      if (changed !== undefined) await notifyJobChanged(tx, changed);
    });
  }
}

/** Notes of a job in the queue that it waits for credits. */
export async function holdBack(tx: Tx, id: string, why: string): Promise<void> {
  const row = await tx
    .updateTable('jobs')
    .set({ held_for: why, reason: NO_CREDITS, status_description: sentence(why) })
    .where('id', '=', id)
    .where('phase', '=', 'queued')
    .returning(['id', 'phase', 'cluster'])
    .executeTakeFirst();
  if (row !== undefined) await notifyJobChanged(tx, row);
}

export const NO_CREDITS = 'NoCredits';
/** As people are told. */
export const sentence = (words: string): string => `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.`;
