import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../schema.ts';
import { isUnique } from './bakes.ts';
import { MOST_FLOWS } from './limits.ts';
import type { FlowProjectRow } from './tables.ts';

export type NewFlow = Pick<FlowProjectRow, 'cluster' | 'org' | 'project' | 'name' | 'owner'>;

/** @throws DelosError ERR_CONFLICT where the project has one of its name, ERR_QUOTA_EXCEEDED */
export async function addFlow(tx: Tx, flow: NewFlow): Promise<FlowProjectRow> {
  const { org, project } = flow;
  await holdFlows(tx, flow);
  const { count } = await tx
    .selectFrom('flow_projects')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('org', '=', org)
    .where('project', '=', project)
    .executeTakeFirstOrThrow();
  if (count >= MOST_FLOWS) {
    throw new DelosError(
      'ERR_QUOTA_EXCEEDED',
      `project ${org}/${project} has ${count} flows, the most of one project`,
      {
        hint: 'remove some: apolo-flow delete-flow FLOW',
      },
    );
  }
  return tx
    .insertInto('flow_projects')
    .values({ id: `projects-${randomUUID()}`, ...flow })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      if (!isUnique(error, 'flow_projects_name')) throw error;
      throw new DelosError('ERR_CONFLICT', `project ${org}/${project} has a flow ${JSON.stringify(flow.name)} already`);
    });
}

/** The flow of this name, which is made where there is none. @throws DelosError ERR_QUOTA_EXCEEDED */
export async function flowNamed(tx: Tx, flow: NewFlow): Promise<FlowProjectRow> {
  await holdFlows(tx, flow);
  const found = await tx
    .selectFrom('flow_projects')
    .selectAll()
    .where('org', '=', flow.org)
    .where('project', '=', flow.project)
    .where('cluster', '=', flow.cluster)
    .where('name', '=', flow.name)
    .executeTakeFirst();
  return found ?? (await addFlow(tx, flow));
}

/** Flows of one project are made one after the other. */
async function holdFlows(tx: Tx, { org, project }: Pick<NewFlow, 'org' | 'project'>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`flows of project ${org}/${project}`}, 0))`.execute(tx);
}
