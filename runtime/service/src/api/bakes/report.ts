import { type BakeReport, DelosError, type FlowTaskStatus, isFlowEnd, type TaskLineage } from '@delos/core';
import { criticalPath, Nesting, type TimedTask } from '@delos/engine';
import { sql } from 'kysely';
import type { FlowAttemptRow, Graphs } from '../../db/flow/tables.ts';
import type { Db } from '../../db/schema.ts';

/** A report reads at most so many bytes of tasks. Rows that a client's executor wrote may be large. */
const MOST_BYTES = 16 * 2 ** 20;
/** Stands for the highest number. */
const LAST = -1;

/** A report with what pictures and comparisons are made of. */
export interface ReadBake {
  readonly report: BakeReport;
  readonly nesting: Nesting<TimedTask>;
  readonly images: ReadonlyMap<string, string | null>;
  readonly attempt: FlowAttemptRow;
  readonly commit: string | null;
}

/**
 * What became of a bake, whoever carries it out.
 * @param number of the attempt; -1 is the last one
 * @throws DelosError ERR_NOT_FOUND, ERR_QUOTA_EXCEEDED
 */
export async function readBake(db: Db, id: string, number: number, now: number): Promise<ReadBake> {
  const bake = await db
    .selectFrom('flow_bakes')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_bakes')
    .select(['flow_projects.org', 'flow_projects.project', 'flow_projects.name as flow_name'])
    .where('flow_bakes.id', '=', id)
    .executeTakeFirstOrThrow();
  const attempts = await db.selectFrom('flow_attempts').selectAll().where('bake', '=', id).orderBy('number').execute();
  const attempt = number === LAST ? attempts.at(-1) : attempts.find((each) => each.number === number);
  if (attempts.length === 0) {
    throw new DelosError('ERR_CONFLICT', `bake ${id} has no attempt yet: nothing of it has begun`);
  }
  if (attempt === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `bake ${id} has no attempt${number === LAST ? '' : ` ${number}`}`, {
      hint: `it has ${attempts.map((each) => each.number).join(', ')}`,
    });
  }
  const rows = await taskRows(db, attempt.id, bake);
  const built = await db
    .selectFrom('flow_bake_images')
    .select(['ref', 'status', 'builder_job_id as job'])
    .where('bake', '=', id)
    .orderBy('seq')
    .execute();
  const begin = attempt.created_at.getTime();
  const known = new Map(rows.map((row) => [row.yaml_id, row]));
  const { needs, calls } = graphOf(bake.graphs);
  // As they were begun, and then as they will be: the database keeps no order of keys.
  const timed = [...new Set([...known.keys(), ...inOrder(needs)])].map((task): TimedTask => {
    const row = known.get(task);
    return {
      id: task,
      needs: needs.get(task) ?? [],
      status: row?.status ?? null,
      begun: timeOf(row?.begun ?? null, begin),
      running: timeOf(row?.running ?? null, begin),
      ended: row !== undefined && isFlowEnd(row.status) ? timeOf(row.last, begin) : null,
    };
  });
  const nesting = new Nesting(timed, calls);
  const path = criticalPath(nesting, now);
  const critical = new Set(path);
  const settled = isFlowEnd(attempt.result) && (!attempt.engine || attempt.settled_at !== null);
  const last = timed.reduce((most, { begun, ended }) => Math.max(most, ended ?? begun ?? begin), begin);
  const report: BakeReport = {
    id,
    name: bake.name,
    batch: bake.batch,
    flow: bake.flow_name,
    org_name: bake.org,
    project_name: bake.project,
    owner: bake.owner,
    tags: bake.tags,
    params: { ...bake.params },
    created_at: bake.created_at.toISOString(),
    attempts: attempts.map((each) => ({
      number: each.number,
      result: each.result,
      created_at: each.created_at.toISOString(),
      executor_id: each.executor_id,
      by: each.engine ? 'platform' : 'client',
    })),
    number: attempt.number,
    result: attempt.result,
    settled,
    tasks: timed.map((task) => {
      const row = known.get(task.id);
      return {
        id: task.id,
        call: nesting.isCall(task.id) || calls.has(task.id),
        needs: [...task.needs],
        status: row?.status ?? null,
        job: row?.raw_id || null,
        begun_at: iso(task.begun),
        running_at: iso(task.running),
        ended_at: iso(task.ended),
        critical: critical.has(task.id),
        reason: row?.reason || null,
        exit_code: row?.exit_code ?? null,
        lineage: row?.lineage ?? null,
      };
    }),
    images: built,
    critical_path: [...path],
    seconds: ((settled ? last : now) - begin) / 1000,
  };
  const images = new Map(rows.map((row) => [row.yaml_id, row.image]));
  return { report, nesting, images, attempt, commit: bake.meta.git_info?.sha ?? null };
}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/** What was carried over from an attempt before has begun and ended when this one began. */
const timeOf = (text: string | null, begin: number): number | null => {
  const at = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(at, begin);
};

interface TaskRow {
  readonly yaml_id: string;
  readonly status: FlowTaskStatus;
  readonly raw_id: string | null;
  readonly lineage: TaskLineage | null;
  readonly begun: string | null;
  readonly running: string | null;
  readonly last: string | null;
  readonly reason: string | null;
  readonly exit_code: number | null;
  readonly image: string | null;
}

async function taskRows(
  db: Db,
  attempt: string,
  { org, project }: { readonly org: string; readonly project: string },
): Promise<readonly TaskRow[]> {
  const size = await sql<{ bytes: number }>`
    select coalesce(sum(octet_length(yaml_id) + coalesce(octet_length(lineage::text), 0) + 500), 0)::float8 as bytes
    from flow_tasks where attempt = ${attempt}`.execute(db);
  const { bytes = 0 } = size.rows[0] ?? {};
  if (bytes > MOST_BYTES) {
    throw new DelosError(
      'ERR_QUOTA_EXCEEDED',
      `the tasks of this bake take ${bytes} bytes, at most ${MOST_BYTES} are told`,
      {
        hint: 'GET /api/v1/flow/tasks?attempt_id=ATTEMPT lists them piece by piece',
      },
    );
  }
  const { rows } = await sql<TaskRow>`
    select t.yaml_id, t.status, t.raw_id, t.lineage,
      t.statuses -> 0 ->> 'created_at' as begun,
      jsonb_path_query_first(t.statuses, '$[*] ? (@.status == "running").created_at') #>> '{}' as running,
      t.statuses -> -1 ->> 'created_at' as last,
      case when j.status in ('failed', 'cancelled') then left(concat_ws(': ', j.reason, j.status_description), 500) end
        as reason,
      j.exit_code, j.request ->> 'image' as image
    from flow_tasks t left join jobs j on j.id = t.raw_id and j.org = ${org} and j.project = ${project}
    where t.attempt = ${attempt} order by t.seq`.execute(db);
  return rows;
}

function graphOf(graphs: Graphs): {
  readonly needs: ReadonlyMap<string, readonly string[]>;
  readonly calls: ReadonlySet<string>;
} {
  const needs = new Map<string, readonly string[]>();
  for (const graph of Object.values(graphs)) for (const [task, of] of Object.entries(graph)) needs.set(task, of);
  return { needs, calls: new Set(Object.keys(graphs).filter((call) => call !== '')) };
}

/** Each after all that it needs; of several by their ids. */
function inOrder(needs: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const order = new Set<string>();
  for (const start of [...needs.keys()].sort()) {
    const stack = [start];
    const open = new Set<string>();
    for (let task = stack.at(-1); task !== undefined; task = stack.at(-1)) {
      // A client may send graphs in a circle: each is looked into once.
      const missing = open.has(task)
        ? []
        : (needs.get(task) ?? []).filter((need) => needs.has(need) && !order.has(need));
      open.add(task);
      if (missing.length > 0) stack.push(...[...missing].sort().reverse());
      else {
        order.add(task);
        stack.pop();
      }
    }
  }
  return [...order];
}
