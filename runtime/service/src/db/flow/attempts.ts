import { randomUUID } from 'node:crypto';
import { DelosError, FLOW_OPEN_STATUSES, type FlowAttemptStatus, isFlowEnd, TERMINAL_STATUSES } from '@delos/core';
import { sql } from 'kysely';
import { FLOW_CHANGED } from '../notifications.ts';
import type { Db, Tx } from '../schema.ts';
import { bakeNameTaken, holdBake, isUnique } from './bakes.ts';
import { MOST_ATTEMPTS } from './limits.ts';
import type { ConfigsMeta, FlowAttemptRow } from './tables.ts';

/*
 * Attempts of bakes. Every change holds the bake's row first, so that the bake's status is always that of its attempt with
 * the highest number.
 */

export interface NewAttempt {
  readonly bake: string;
  readonly number: number;
  readonly result: FlowAttemptStatus;
  readonly executorId: string | null;
  readonly configsMeta: ConfigsMeta;
}

/**
 * @throws DelosError ERR_CONFLICT where there is one of its number, or its name is another bake's meanwhile,
 * ERR_REQUEST for a configuration file of another bake
 */
export async function addAttempt(tx: Tx, attempt: NewAttempt): Promise<FlowAttemptRow> {
  const { bake, number } = attempt;
  if (number > MOST_ATTEMPTS) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `a bake has at most ${MOST_ATTEMPTS} attempts`, {
      where: { field: 'number' },
      hint: 'make a new bake of the same batch',
    });
  }
  await holdBake(tx, bake);
  await requireOwnFiles(tx, bake, attempt.configsMeta);
  const row = await tx
    .insertInto('flow_attempts')
    .values({
      id: `attempt-${randomUUID()}`,
      bake,
      number,
      result: attempt.result,
      executor_id: attempt.executorId,
      configs_meta: JSON.stringify(attempt.configsMeta),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      if (!isUnique(error, 'flow_attempts_number')) throw error;
      throw new DelosError('ERR_CONFLICT', `bake ${bake} has an attempt ${number} already`, {
        hint: `apolo-flow inspect ${bake}`,
      });
    });
  await mirror(tx, row);
  return row;
}

/**
 * Changes what becomes of an attempt, and who carries it out. One that has ended stays as it ended: a cancellation is not
 * lost to an executor that ends at the same moment.
 */
export async function changeAttempt(
  tx: Tx,
  { id, bake }: Pick<FlowAttemptRow, 'id' | 'bake'>,
  change: { readonly result?: FlowAttemptStatus; readonly executorId?: string | null },
): Promise<FlowAttemptRow> {
  await holdBake(tx, bake);
  const before = await tx.selectFrom('flow_attempts').selectAll().where('id', '=', id).executeTakeFirst();
  if (before === undefined) throw new DelosError('ERR_NOT_FOUND', `there is no attempt ${JSON.stringify(id)}`);
  const result = isFlowEnd(before.result) ? before.result : (change.result ?? before.result);
  const executor = change.executorId === undefined ? before.executor_id : change.executorId;
  if (result === before.result && executor === before.executor_id) return before;
  const row = await tx
    .updateTable('flow_attempts')
    .set({ result, executor_id: executor })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await mirror(tx, row);
  return row;
}

/**
 * Ends attempts whose executor is a job that has ended, as that did: nobody else would.
 * @returns those that were ended
 */
export async function endLostAttempts(
  db: Db,
  change: (attempt: Pick<FlowAttemptRow, 'id' | 'bake'>, result: FlowAttemptStatus) => Promise<unknown>,
): Promise<readonly string[]> {
  const lost = await db
    .selectFrom('flow_attempts')
    .innerJoin('flow_bakes', 'flow_bakes.id', 'flow_attempts.bake')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .innerJoin('jobs', (on) =>
      on
        .onRef('jobs.id', '=', 'flow_attempts.executor_id')
        .onRef('jobs.org', '=', 'flow_projects.org')
        .onRef('jobs.project', '=', 'flow_projects.project'),
    )
    .select(['flow_attempts.id', 'flow_attempts.bake', 'jobs.status'])
    .where('flow_attempts.result', 'in', FLOW_OPEN_STATUSES)
    .where('flow_attempts.engine', '=', false)
    .where('jobs.status', 'in', [...TERMINAL_STATUSES])
    .limit(MOST_AT_ONCE)
    .execute();
  for (const { status, ...attempt } of lost) await change(attempt, status === 'cancelled' ? 'cancelled' : 'failed');
  return lost.map(({ id }) => id);
}

const MOST_AT_ONCE = 100;

/** Removes a flow with all that is its own. Who carries out one of its bakes is told that it is over. */
export async function removeFlow(tx: Tx, flow: string): Promise<void> {
  await sql`select pg_notify(${FLOW_CHANGED},
      json_build_object('bake', b.id, 'attempt', a.id, 'result', 'cancelled')::text)
    from flow_bakes b join flow_attempts a on a.bake = b.id
    where b.flow = ${flow} and b.status in ('pending', 'running') and a.result in ('pending', 'running')`.execute(tx);
  await tx.deleteFrom('flow_projects').where('id', '=', flow).execute();
}

async function mirror(tx: Tx, { id, bake, number, result }: FlowAttemptRow): Promise<void> {
  await tx
    .updateTable('flow_bakes')
    .set({ status: result })
    .where('id', '=', bake)
    .where('status', '<>', result)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('flow_attempts').select('id').where('bake', '=', bake).where('number', '>', number))),
    )
    .execute()
    .catch((error: unknown) => {
      throw isUnique(error, 'flow_bakes_active_name') ? bakeNameTaken(null) : error;
    });
  await sql`select pg_notify(${FLOW_CHANGED}, ${JSON.stringify({ bake, attempt: id, result })})`.execute(tx);
}

/** An attempt reads configuration files of its own bake alone: those of others may be another project's. */
async function requireOwnFiles(tx: Tx, bake: string, meta: ConfigsMeta): Promise<void> {
  const named = [meta.flow_config_id, meta.project_config_id, ...Object.values(meta.action_config_ids)];
  const ids = [...new Set(named.filter((id) => id !== null))];
  const found = await tx
    .selectFrom('flow_config_files')
    .select('id')
    .where('bake', '=', bake)
    .where('id', 'in', ids)
    .execute();
  const missing = ids.find((id) => !found.some((row) => row.id === id));
  if (missing === undefined) return;
  throw new DelosError('ERR_REQUEST', `bake ${bake} has no configuration file ${JSON.stringify(missing)}`, {
    where: { field: 'configs_meta' },
    hint: 'send the files of the bake first: POST /api/v1/flow/config_files',
  });
}
