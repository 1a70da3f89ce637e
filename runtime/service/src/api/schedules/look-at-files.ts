import { createHash } from 'node:crypto';
import { DelosError, FLOW_OPEN_STATUSES, type StorageWatch } from '@delos/core';
import { type Files, look, type WatchState } from '@delos/engine';
import { sql } from 'kysely';
import type { FlowScheduleRow } from '../../db/flow/schedule-tables.ts';
import type { Tx } from '../../db/schema.ts';
import type { ApiDeps } from '../deps.ts';
import { runOnce } from './run-schedules.ts';
import { authorizeFolder, filesOf, folderOf } from './storage-files.ts';

/** A change is seen at the next look: what jobs write through a mount tells nobody. */
export const LOOK_SECONDS = 20;
/** After a bake that was refused, or files that could not be looked at. */
const PAUSE_SECONDS = 600;
const PROBLEM_SECONDS = 60;
/** Schedules that one sweep looks at. */
const MOST_AT_ONCE = 20;
/** Changes that a bake is told of by its parameter. */
const MOST_TOLD = 100;

/** Looks at the files that are due. Every control API does it: a look is one's at a time, and what it decides is written with it. */
export async function sweepStorage(deps: ApiDeps, now = Date.now()): Promise<void> {
  const { rows } = await sql<{ schedule: string; turn: string }>`
    update flow_watches set turn = turn + 1, next_at = ${new Date(now + LOOK_SECONDS * 1000)}
    where schedule in (select schedule from flow_watches where next_at <= ${new Date(now)}
      order by next_at limit ${MOST_AT_ONCE} for update skip locked) returning schedule, turn`.execute(
    deps.database.db,
  );
  await Promise.all(rows.map(({ schedule, turn }) => lookAt(deps, schedule, Number(turn), now)));
}

const underWay = new WeakSet<ApiDeps>();

/** Begins `sweepStorage`, unless the last one has not ended. */
export function lookAtFiles(deps: ApiDeps): void {
  if (underWay.has(deps)) return;
  underWay.add(deps);
  void sweepStorage(deps)
    .catch((error: unknown) => {
      if (!deps.signal.aborted) deps.log.warn({ error }, 'files could not be looked at');
    })
    .finally(() => underWay.delete(deps));
}

async function lookAt(deps: ApiDeps, id: string, turn: number, now: number): Promise<void> {
  const { db } = deps.database;
  const schedule = await db.selectFrom('flow_schedules').selectAll().where('id', '=', id).executeTakeFirst();
  if (schedule?.storage == null) return;
  let found: { readonly files: Files; readonly clock: number };
  try {
    const caller = await deps.callerById(schedule.owner);
    const place = { cluster: deps.settings.cluster, org: schedule.org, project: schedule.project, user: caller.user };
    const folder = folderOf(schedule.storage, place);
    await authorizeFolder(deps, caller, folder);
    found = await filesOf(deps, folder, schedule.storage.pattern);
  } catch (error) {
    if (!(error instanceof DelosError)) throw error;
    const next = new Date(now + PROBLEM_SECONDS * 1000);
    await db
      .updateTable('flow_watches')
      .set({ problem: error.message.slice(0, 2_000), next_at: next, looked_at: new Date(now) })
      .where('schedule', '=', id)
      .where('turn', '=', turn)
      .execute();
    return;
  }
  const run = await deps.database.tx((tx) => decide(tx, deps, { schedule, turn, now, ...found }));
  if (run !== undefined) deps.log.info({ schedule: id, ...run }, 'files changed');
}

async function decide(
  tx: Tx,
  deps: ApiDeps,
  {
    schedule: { id },
    turn,
    now,
    files,
    clock,
  }: {
    readonly schedule: FlowScheduleRow;
    readonly turn: number;
    readonly now: number;
    readonly files: Files;
    readonly clock: number;
  },
) {
  const schedule = await tx
    .selectFrom('flow_schedules')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  const watch = await tx
    .selectFrom('flow_watches')
    .selectAll()
    .where('schedule', '=', id)
    .where('turn', '=', turn)
    .forUpdate()
    .executeTakeFirst();
  // Somebody looked later, or it was removed.
  if (schedule?.storage == null || watch === undefined) return undefined;
  const { pattern, on, quiet_seconds: quiet, param } = schedule.storage;
  const before: WatchState = {
    seen: watch.seen === null ? undefined : new Map(Object.entries(watch.seen)),
    last: watch.last ?? undefined,
    since: watch.since.getTime(),
  };
  const short = createHash('sha256')
    .update(JSON.stringify([...files]))
    .digest('hex');
  const looked = look({ pattern, on, quiet: quiet * 1000 }, before, { files, short, clock, now });
  let { seen } = looked.state;
  let after = looked.soon ? quiet : LOOK_SECONDS;
  let run: Awaited<ReturnType<typeof runOnce>>;
  if (looked.changes.length > 0) {
    // They are made up for when the bake has ended.
    if (!schedule.overlap && (await isBaking(tx, id))) seen = before.seen;
    else {
      const params = param == null ? undefined : { [param]: JSON.stringify(looked.changes.slice(0, MOST_TOLD)) };
      const cause = { at: new Date(now), cause: 'storage' } as const;
      run = await runOnce(tx, deps, schedule, params === undefined ? cause : { ...cause, params });
      if (run?.outcome === 'refused') {
        seen = before.seen;
        after = PAUSE_SECONDS;
      }
    }
  }
  await tx
    .updateTable('flow_watches')
    .set({
      ...{
        looked_at: new Date(now),
        problem: null,
        last: looked.state.last ?? null,
        since: new Date(looked.state.since),
      },
      next_at: new Date(now + Math.min(after, run === undefined ? LOOK_SECONDS : PAUSE_SECONDS) * 1000),
      ...(seen === before.seen ? {} : { seen: JSON.stringify(Object.fromEntries(seen ?? [])) }),
    })
    .where('schedule', '=', id)
    .execute();
  return run;
}

async function isBaking(tx: Tx, schedule: string): Promise<boolean> {
  const open = await tx
    .selectFrom('flow_bakes')
    .select('id')
    .where('schedule', '=', schedule)
    .where('status', 'in', FLOW_OPEN_STATUSES)
    .limit(1)
    .executeTakeFirst();
  return open !== undefined;
}

/** The parameters of a bake that its files tell of, for a look at the flow before there are any. */
export const toldParams = ({ param }: Pick<StorageWatch, 'param'>): Readonly<Record<string, string>> =>
  param == null ? {} : { [param]: '[]' };
