import type { NodeReport, Quota } from '@delos/core';
import type { Db } from '../db/schema.ts';
import { type ActiveJob, needsOf } from './model.ts';

/** Nodes and quotas: few rows, read anew each round. */
export interface Surroundings {
  readonly nodes: readonly NodeReport[];
  readonly orgQuotas: ReadonlyMap<string, Quota>;
  readonly projectQuotas: ReadonlyMap<string, Quota>;
  /** When the cluster's agent last spoke. */
  readonly agentSeenAt: Date | null;
}

export async function loadSurroundings(db: Db, cluster: string): Promise<Surroundings> {
  const [nodes, orgs, projects, own] = await Promise.all([
    loadNodes(db, cluster),
    db.selectFrom('organizations').select(['name', 'quota']).execute(),
    db.selectFrom('projects').select(['org', 'name', 'quota']).execute(),
    db.selectFrom('clusters').select('last_seen_at').where('name', '=', cluster).executeTakeFirst(),
  ]);
  return {
    nodes,
    orgQuotas: new Map(orgs.map((org) => [org.name, org.quota])),
    projectQuotas: new Map(projects.map((project) => [`${project.org}/${project.name}`, project.quota])),
    agentSeenAt: own?.last_seen_at ?? null,
  };
}

export async function loadNodes(db: Db, cluster: string): Promise<readonly NodeReport[]> {
  const rows = await db.selectFrom('nodes').select('report').where('cluster', '=', cluster).execute();
  return rows.map((row) => row.report);
}

/** Jobs that hold room now. */
export async function loadActive(db: Db, cluster: string): Promise<readonly ActiveJob[]> {
  const rows = await db
    .selectFrom('jobs')
    .select(['id', 'org', 'project', 'pool', 'node', 'spec'])
    .where('cluster', '=', cluster)
    .where('phase', 'in', ['admitted', 'running', 'stopping'])
    .execute();
  return rows.flatMap(({ spec, pool, ...row }) =>
    pool === null ? [] : [{ ...row, pool, needs: needsOf(spec.resources) }],
  );
}
