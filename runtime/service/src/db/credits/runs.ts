import { TERMINAL } from '@delos/core';
import { type Grains, hold, holdOf, priceOf, refusal } from '@delos/ledger';
import { returnsToQueue } from '../job-machine.ts';
import type { JobEvent, JobState } from '../job-state.ts';
import type { JobRow, Tx } from '../schema.ts';
import { secondOf, writeTransactions } from './books.ts';
import { pricesOf, standingOf } from './scopes.ts';
import { type CreditTerms, creditTerms } from './terms.ts';

/** What of a job decides what it holds at its start. */
export type Priced = Pick<
  JobRow,
  'cluster' | 'org' | 'project' | 'preset' | 'credits_per_hour' | 'max_run_time_minutes' | 'ran_seconds'
>;

/**
 * Sets aside what a run needs to start, in the transaction that admits it. Of admissions beside each other one waits for the
 * other, so that two cannot spend the same credit.
 * @returns why it cannot start, for its user; undefined: it can, or it is not charged
 */
export async function holdCredits(tx: Tx, job: Priced & Pick<JobRow, 'id' | 'run'>): Promise<string | undefined> {
  const now = secondOf(new Date());
  const { cluster, org, project, preset } = job;
  const standing = await standingOf(tx, job, now, true);
  if (standing === undefined) return undefined;
  const { payer, scopes } = standing;
  const { needs, price } = await needsOf(tx, job, now);
  const why = refusal(scopes, needs, now);
  if (why !== undefined) return why;
  await tx
    .insertInto('credit_runs')
    .values({ ...{ job: job.id, run: job.run, cluster, org, project, preset, payer }, price, held: String(needs) })
    .execute();
  if (needs > 0n) await writeTransactions(tx, job, [hold({ job: job.id, run: job.run, payer }, needs, now)]);
  return undefined;
}

/** Why a job cannot start for want of credits, as things are; undefined: it can. Nothing is set aside. */
export async function creditsMissing(tx: Tx, job: Priced, terms?: CreditTerms): Promise<string | undefined> {
  const now = secondOf(new Date());
  const standing = await standingOf(tx, job, now);
  if (standing === undefined) return undefined;
  return refusal(standing.scopes, (await needsOf(tx, job, now, terms)).needs, now);
}

async function needsOf(
  tx: Tx,
  job: Priced,
  now: number,
  terms?: CreditTerms,
): Promise<{ readonly needs: Grains; readonly price: string }> {
  const own = priceOf(job.credits_per_hour);
  const prices = await pricesOf(tx, job.cluster, job.preset, own);
  const minutes = job.max_run_time_minutes;
  const seconds = minutes === null ? undefined : minutes * 60 - job.ran_seconds;
  const { holdSeconds, ...rest } = terms ?? (await creditTerms(tx));
  // Whoever holds for no time pays for a second at least: a job does not start on nothing.
  const needs = holdOf(prices, now, { ...rest, holdSeconds: Math.max(1, holdSeconds) }, seconds);
  return { needs, price: String(own) };
}

/** Notes of a run that is charged what an event has shown of it, in the transaction of that event. */
export async function followRun(tx: Tx, id: string, before: JobState, after: JobState, event: JobEvent): Promise<void> {
  if (before.phase === 'queued') return;
  // Whoever ends a job that was preempted already changes nothing of what it ran, nor does the end of a container that was told to.
  const settled = before.finishedAt !== null && (event.type === 'stop' || TERMINAL.has(before.status));
  const sameRun = after.run === before.run;
  const over = !sameRun || after.phase === 'ended' || after.phase === 'archived' || after.phase === 'gone';
  const seen = sameRun ? after : before;
  await tx
    .updateTable('credit_runs')
    .set((eb) => ({
      ...(settled || seen.startedAt === null
        ? {}
        : { started: eb.fn.coalesce('started', eb.val(secondOf(seen.startedAt))) }),
      ...(settled || seen.finishedAt === null
        ? {}
        : { ended: secondOf(seen.finishedAt), taken_away: isTakenAway(before, after, event) }),
      over,
    }))
    .where('job', '=', id)
    .where('run', '=', before.run)
    .where('over', '=', false)
    .execute();
}

/** The platform ended it: it is to come back, or its node is lost. */
function isTakenAway(before: JobState, after: JobState, event: JobEvent): boolean {
  if (after.run !== before.run || returnsToQueue(after)) return true;
  if (event.type !== 'observe' || (before.phase !== 'admitted' && before.phase !== 'running')) return false;
  return event.observation.phase === 'absent' || (event.observation.phase === 'failed' && event.observation.putOut);
}
