import { sql } from 'kysely';
import type { Db, DiskRow } from '../../../db/schema.ts';

const STATUS = { pending: 'Pending', ready: 'Ready', broken: 'Broken' } as const;

export interface ShownDisk {
  readonly row: DiskRow;
  /** Jobs that were accepted with it and are not gone. */
  readonly jobs: readonly string[];
  /** One of them has it now. */
  readonly inUse: boolean;
}

/** A disk as the official client reads it; `status_description` and `jobs` are for others. */
export function diskJson({ row, jobs, inUse }: ShownDisk): Record<string, unknown> {
  const lastUsage = inUse ? new Date() : row.last_used_at;
  const marked = row.phase !== 'kept';
  return {
    id: row.id,
    ...optional('name', row.name),
    storage: row.storage,
    ...optional('used_bytes', row.used_bytes),
    owner: row.owner,
    cluster_name: row.cluster,
    org_name: row.org,
    project_name: row.project,
    // No job may mount it, as it is with one that is not ready yet.
    status: STATUS[marked ? 'pending' : row.status],
    ...optional('status_description', marked ? removalText(jobs) : row.description),
    created_at: row.created_at.toISOString(),
    ...optional('last_usage', lastUsage?.toISOString()),
    ...optional('life_span', row.life_span),
    jobs,
  };
}

/** Why a disk that was removed is still there. */
export function removalText(jobs: readonly string[]): string {
  if (jobs.length === 0) return 'it is being removed';
  const [first = '', ...more] = jobs;
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return `it is being removed, and goes when ${first}${others} ${more.length === 0 ? 'has' : 'have'} ended`;
}

/** Disks with the jobs that have them. */
export async function withJobs(db: Db, rows: readonly DiskRow[]): Promise<readonly ShownDisk[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const mounts = await sql<{ disk: string; jobs: string[]; used: boolean }>`
    select disk, (array_agg(job order by j.created_at, job))[1:20] as jobs, bool_or(j.phase <> 'queued') as used
    from job_disks m join jobs j on j.id = m.job where disk = any (${ids}::text[]) group by disk`.execute(db);
  const byDisk = new Map(mounts.rows.map((each) => [each.disk, each]));
  return rows.map((row) => {
    const found = byDisk.get(row.id);
    return { row, jobs: found?.jobs ?? [], inUse: found?.used ?? false };
  });
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}
