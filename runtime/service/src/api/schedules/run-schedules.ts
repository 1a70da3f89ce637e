import { DelosError, FLOW_OPEN_STATUSES, type ScheduleRun } from '@delos/core';
import { dueRuns } from '@delos/engine';
import { sql } from 'kysely';
import type { FlowScheduleRow } from '../../db/flow/schedule-tables.ts';
import type { Tx } from '../../db/schema.ts';
import { submitBakeIn } from '../bakes/submit.ts';
import type { ApiDeps } from '../deps.ts';

/** Schedules that one sweep looks at, and runs of one schedule that it makes. */
const MOST_AT_ONCE = 20;
const MOST_RUNS = 10;
/** Runs that are remembered of one schedule. */
const MOST_REMEMBERED = 1_000;

/** Makes the bakes that are due. Every control API does it: a schedule is one's at a time, and a run is written once. */
export async function sweepSchedules(deps: ApiDeps, now = Date.now()): Promise<void> {
  const rows = await deps.database.db
    .selectFrom('flow_schedules')
    .select('id')
    .where('next_at', '<=', new Date(now))
    .orderBy('next_at')
    .limit(MOST_AT_ONCE)
    .execute();
  for (const { id } of rows) {
    const runs = await deps.database.tx((tx) => runDue(tx, deps, id, now));
    for (const run of runs) deps.log.info({ schedule: id, ...run }, 'a schedule was due');
  }
}

async function runDue(tx: Tx, deps: ApiDeps, id: string, now: number): Promise<readonly ScheduleRun[]> {
  const schedule = await tx
    .selectFrom('flow_schedules')
    .selectAll()
    .where('id', '=', id)
    .where('next_at', '<=', new Date(now))
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (schedule?.cron == null) return [];
  const rule = { cron: schedule.cron, timeZone: schedule.time_zone, missed: schedule.missed };
  const decided = dueRuns(rule, schedule.after_at.getTime(), now);
  const due = decided.due.slice(0, MOST_RUNS);
  // What is left is due at once: it comes with the next look.
  const left = decided.due[MOST_RUNS];
  const upto = left === undefined ? decided.upto : (due.at(-1) ?? decided.upto);
  const next = left ?? decided.next;
  const runs: ScheduleRun[] = [];
  for (const at of due) {
    const run = await runOnce(tx, deps, schedule, { at: new Date(at), cause: 'time' });
    if (run !== undefined) runs.push(run);
  }
  await tx
    .updateTable('flow_schedules')
    .set({ after_at: new Date(upto), next_at: next === null ? null : new Date(next) })
    .where('id', '=', id)
    .execute();
  return runs;
}

export interface Cause {
  readonly at: Date;
  readonly cause: ScheduleRun['cause'];
  /** The id of the signed request. */
  readonly call?: string;
  /** In place of those of the schedule. */
  readonly params?: Readonly<Record<string, string>>;
}

/**
 * One run of a schedule that is held. What refuses the bake is written down, and is no error here.
 * @returns undefined where the run was made before
 */
export async function runOnce(
  tx: Tx,
  deps: ApiDeps,
  schedule: FlowScheduleRow,
  { at, cause, call, params }: Cause,
): Promise<ScheduleRun | undefined> {
  const claimed = await tx
    .insertInto('flow_schedule_runs')
    .values({ schedule: schedule.id, at, cause, call: call ?? null, outcome: 'skipped', bake: null, why: null })
    .onConflict((on) => on.doNothing())
    .returning('seq')
    .executeTakeFirst();
  if (claimed === undefined) return undefined;
  const { outcome, bake, why } = await made(tx, deps, schedule, params);
  await tx.updateTable('flow_schedule_runs').set({ outcome, bake, why }).where('seq', '=', claimed.seq).execute();
  await sql`delete from flow_schedule_runs where schedule = ${schedule.id} and seq <= (
    select seq from flow_schedule_runs where schedule = ${schedule.id} order by seq desc offset ${MOST_REMEMBERED} limit 1)
    and at < now() - interval '1 day'`.execute(tx);
  return { at: at.toISOString(), cause, outcome, bake, why };
}

type Made = Pick<ScheduleRun, 'outcome' | 'bake' | 'why'>;

async function made(tx: Tx, deps: ApiDeps, schedule: FlowScheduleRow, params: Cause['params']): Promise<Made> {
  if (!schedule.overlap) {
    const open = await tx
      .selectFrom('flow_bakes')
      .select('id')
      .where('schedule', '=', schedule.id)
      .where('status', 'in', FLOW_OPEN_STATUSES)
      .limit(1)
      .executeTakeFirst();
    if (open !== undefined) return { outcome: 'skipped', bake: null, why: `${open.id} has not ended` };
  }
  await sql`savepoint run`.execute(tx);
  try {
    const caller = await deps.callerById(schedule.owner);
    const asked = {
      ...schedule.bake,
      ...(params === undefined ? {} : { params: { ...schedule.bake.params, ...params } }),
    };
    const by = { caller, cluster: deps.settings.cluster, authorization: undefined };
    const bake = await submitBakeIn(tx, deps, asked, by, schedule.id);
    await sql`release savepoint run`.execute(tx);
    return { outcome: 'baked', bake: bake.id, why: null };
  } catch (error) {
    if (!(error instanceof DelosError)) throw error;
    await sql`rollback to savepoint run`.execute(tx);
    return { outcome: 'refused', bake: null, why: error.message.slice(0, 2_000) };
  }
}
