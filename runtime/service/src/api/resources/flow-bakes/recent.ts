import { flowAttemptStatus, type ListedBake } from '@delos/core';
import { z } from 'zod';
import type { Db } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import { shortText } from '../../flow/fields.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import { lastAttempts } from './json.ts';

const MOST = 1_000;

export const recentQuery = z.object({
  org_name: shortText.optional(),
  project_name: shortText.optional(),
  /** The id of project.yml. */
  flow: shortText.optional(),
  batch: shortText.optional(),
  name: shortText.optional(),
  status: flowAttemptStatus.optional(),
  limit: z.coerce.number().int().min(1).max(MOST).default(50),
});

/** Bakes of all flows that the caller may see, the newest first. */
export async function recentBakes(
  db: Db,
  caller: Caller,
  query: z.infer<typeof recentQuery>,
): Promise<readonly ListedBake[]> {
  const wanted = [
    ['flow_projects.org', query.org_name],
    ['flow_projects.project', query.project_name],
    ['flow_projects.name', query.flow],
    ['flow_bakes.batch', query.batch],
    ['flow_bakes.name', query.name],
    ['flow_bakes.status', query.status],
  ] as const;
  let select = db
    .selectFrom('flow_bakes')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .select(['flow_bakes.id', 'flow_bakes.name', 'flow_bakes.batch', 'flow_bakes.owner', 'flow_bakes.tags'])
    .select(['flow_bakes.created_at', 'flow_bakes.status'])
    .select(['flow_projects.name as flow', 'flow_projects.org', 'flow_projects.project'])
    .$if(!caller.admin, (rows) => rows.where(ofProjects(caller)));
  for (const [column, value] of wanted) if (value !== undefined) select = select.where(column, '=', value);
  const rows = await select
    .orderBy('flow_bakes.created_at', 'desc')
    .orderBy('flow_bakes.id', 'desc')
    .limit(query.limit)
    .execute();
  const last = await lastAttempts(
    db,
    rows.map(({ id }) => id),
  );
  return rows.map(({ org, project, created_at: at, ...row }) => ({
    ...row,
    org_name: org,
    project_name: project,
    created_at: at.toISOString(),
    attempt: last.get(row.id)?.number ?? null,
  }));
}
