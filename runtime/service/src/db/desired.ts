import type { DesiredJob } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Db, JobPhase, JobRow, Tx } from './schema.ts';
import { nextLimit, withinBytes } from './within-bytes.ts';

const ACTION: Readonly<Partial<Record<JobPhase, DesiredJob['action']>>> = {
  admitted: 'run',
  running: 'run',
  stopping: 'stop',
  ended: 'stop',
  archived: 'remove',
};

const COLUMNS = ['id', 'phase', 'pool', 'revision', 'run', 'pod_uid', 'planned_node', 'spec'] as const;
type DesiredRow = Pick<JobRow, (typeof COLUMNS)[number]>;

/** Bytes of the specifications of one read: what telling an agent takes in memory. */
const PAGE_BYTES = 2 ** 20;

/** What the agent shall do about a job; undefined while it is queued and once it is gone. */
export function desiredOf(row: DesiredRow): DesiredJob | undefined {
  const action = ACTION[row.phase];
  if (action === undefined || row.pool === null) return undefined;
  return {
    jobId: row.id,
    revision: row.revision,
    action,
    graceSeconds: 15,
    run: row.run,
    podUid: row.pod_uid,
    spec: { ...row.spec, pool: row.pool, node: row.planned_node },
  };
}

/** Everything the agent of a cluster is to know when it connects, page by page. */
export function listDesired(db: Db | Tx, cluster: string): AsyncGenerator<readonly DesiredJob[]> {
  const phases = Object.keys(ACTION);
  return desiredWhere(db, sql<SqlBool>`cluster = ${cluster} and phase = any (${phases}::text[])`);
}

/** What is desired of these jobs, page by page; those of which nothing is are left out. */
export function findDesired(db: Db | Tx, ids: readonly string[]): AsyncGenerator<readonly DesiredJob[]> {
  return desiredWhere(db, sql<SqlBool>`id = any (${[...ids]}::text[])`);
}

async function* desiredWhere(
  db: Db | Tx,
  condition: ReturnType<typeof sql<SqlBool>>,
): AsyncGenerator<readonly DesiredJob[]> {
  let limit = nextLimit();
  for (let last = ''; ; ) {
    const query = db
      .selectFrom('jobs')
      .select(COLUMNS)
      .select(sql<number>`pg_column_size(spec #> '{}')`.as('size'))
      .where(condition)
      .where('id', '>', last)
      .orderBy('id')
      .limit(limit);
    const { rows, more } = await withinBytes<DesiredRow>(db, query, {
      order: sql`id`,
      limit,
      budget: PAGE_BYTES,
    });
    const jobs = rows.flatMap((row) => desiredOf(row) ?? []);
    if (jobs.length > 0) yield jobs;
    const end = rows.at(-1)?.id;
    if (!more || end === undefined) return;
    last = end;
    limit = nextLimit({ limit, rows: rows.length });
  }
}
