import type { JobDesire, JobPhase } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { DesireSource } from './desire-source.ts';
import { podRemoved, recordObservation } from './jobs-state.ts';
import type { Db, JobRow, Tx } from './schema.ts';
import { nextLimit, withinBytes } from './within-bytes.ts';

const ACTION: Readonly<Partial<Record<JobPhase, JobDesire['spec']['action']>>> = {
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
export function desiredOf(row: DesiredRow): JobDesire | undefined {
  const action = ACTION[row.phase];
  if (action === undefined || row.pool === null) return undefined;
  return {
    kind: 'job',
    id: row.id,
    revision: row.revision,
    spec: {
      action,
      graceSeconds: 15,
      run: row.run,
      podUid: row.pod_uid,
      pod: { ...row.spec, pool: row.pool, node: row.planned_node },
    },
  };
}

function listDesired(db: Db | Tx, cluster: string): AsyncGenerator<readonly JobDesire[]> {
  const phases = Object.keys(ACTION);
  return desiredWhere(db, sql<SqlBool>`cluster = ${cluster} and phase = any (${phases}::text[])`);
}

function findDesired(db: Db | Tx, cluster: string, ids: readonly string[]): AsyncGenerator<readonly JobDesire[]> {
  return desiredWhere(db, sql<SqlBool>`id = any (${[...ids]}::text[]) and cluster = ${cluster}`);
}

async function* desiredWhere(
  db: Db | Tx,
  condition: ReturnType<typeof sql<SqlBool>>,
): AsyncGenerator<readonly JobDesire[]> {
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

/** What is desired of jobs, and where the agent's reports of them go. */
export const desiredJobs: DesireSource<'job'> = {
  kind: 'job',
  list: listDesired,
  find: findDesired,
  onChange: (notifications, cluster, changed) =>
    notifications.onJobChanged((change) => {
      if (change.cluster === cluster && change.phase !== 'queued') changed(change.id);
    }),
  record: async (tx, cluster, report) => {
    if (report.type === 'removed') await podRemoved(tx, report.id, { run: report.run, podUid: report.podUid }, cluster);
    else await recordObservation(tx, report.id, report.observation, cluster);
  },
};
