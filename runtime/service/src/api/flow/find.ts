import { DelosError, type Right } from '@delos/core';
import type { FlowAttemptRow, FlowBakeRow, FlowProjectRow } from '../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../deps.ts';
import { authorize, type ProjectOf } from '../rights.ts';

/*
 * Objects of flows by their ids. Whose one is, its flow says: every right is that in the project of the flow.
 */

/** Where an object of a flow belongs. */
export interface OfFlow extends ProjectOf {
  readonly flow: string;
}

type Deps = Pick<ApiDeps, 'database'>;

/** @throws DelosError as `authorize` does */
export async function findFlow({ database }: Deps, caller: Caller, id: string, right: Right): Promise<FlowProjectRow> {
  const row = await database.db.selectFrom('flow_projects').selectAll().where('id', '=', id).executeTakeFirst();
  return authorize(caller, row, right, unknown('flow', id, 'apolo-flow delete-flow takes the id of project.yml'));
}

/** A bake without its graphs. */
export type BakePlace = OfFlow & Pick<FlowBakeRow, 'id' | 'name' | 'batch'>;

/** Where a bake belongs: its graphs, which may be large, stay unread. @throws DelosError as `authorize` does */
export async function bakePlace({ database }: Deps, caller: Caller, id: string, right: Right): Promise<BakePlace> {
  const row = await database.db
    .selectFrom('flow_bakes')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .select(['flow_bakes.id', 'flow_bakes.flow', 'flow_bakes.name', 'flow_bakes.batch'])
    .select(['flow_projects.org', 'flow_projects.project'])
    .where('flow_bakes.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknownBake(id));
}

export const unknownBake = (id: string): (() => DelosError) =>
  unknown('bake', id, 'apolo-flow bakes lists those of your flow');

export type AttemptOfFlow = FlowAttemptRow & OfFlow;

/** @throws DelosError as `authorize` does */
export async function findAttempt(
  { database }: Deps,
  caller: Caller,
  id: string,
  right: Right,
): Promise<AttemptOfFlow> {
  const row = await database.db
    .selectFrom('flow_attempts')
    .innerJoin('flow_bakes', 'flow_bakes.id', 'flow_attempts.bake')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_attempts')
    .select(['flow_bakes.flow', 'flow_projects.org', 'flow_projects.project'])
    .where('flow_attempts.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknown('attempt', id, 'apolo-flow inspect BAKE shows the last one'));
}

/** Undefined for what the caller may not know of. For lists, which are empty then: the client takes each line for an object. */
export async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof DelosError && error.code === 'ERR_NOT_FOUND') return undefined;
    throw error;
  }
}

/** The error of an object that the caller may not know of. */
export const unknown = (what: string, id: string, hint: string) => (): DelosError =>
  new DelosError('ERR_NOT_FOUND', `there is no ${what} ${JSON.stringify(id)}`, { hint });
