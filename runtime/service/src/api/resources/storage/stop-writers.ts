import { sql } from 'kysely';
import { z } from 'zod';
import { stopJob } from '../../../db/jobs-state.ts';
import type { ApiDeps } from '../../deps.ts';

const TIME_MS = 5_000;

const told = z.object({
  projects: z.array(
    z.object({
      org: z.string(),
      project: z.string(),
      bytes: z.number(),
      /** When the look at its files began: milliseconds since 1970. */
      looked: z.number(),
    }),
  ),
});
type Usage = z.infer<typeof told>['projects'][number];

/**
 * Ends the jobs that can write to a project whose files are over its quota, or its organization's. What clients write is refused where it
 * is written; what jobs write through a mount shows when the file storage looks. A job that began after the look is not held to it: it may be
 * the one that removes files.
 */
export async function stopWriters({ database, settings, log }: ApiDeps): Promise<void> {
  if (settings.filesUrl === undefined || settings.jobsMountFiles !== true) return;
  const limits = await limited(database.db);
  if (limits.length === 0) return;
  const usage = await askUsage(settings.filesUrl);
  for (const { org, project, limit, orgLimit } of limits) {
    const found = usage.find((each) => each.org === org && each.project === project);
    if (found === undefined) continue;
    const ofOrg = usage.filter((each) => each.org === org).reduce((sum, { bytes }) => sum + bytes, 0);
    const over = overOf(
      { used: found.bytes, limit, of: `project ${org}/${project}` },
      { used: ofOrg, limit: orgLimit, of: `organization ${org}` },
    );
    if (over === undefined) continue;
    for (const id of await writersOf(database.db, settings.cluster, found)) {
      const end = { status: 'failed', reason: 'QuotaExceeded', description: over } as const;
      await database.tx((tx) => stopJob(tx, id, end));
      log.info(
        { job: id, project: `${org}/${project}` },
        'ended, since its project has more files than its quota allows',
      );
    }
  }
}

interface Held {
  readonly used: number;
  readonly limit: number | null;
  readonly of: string;
}

/** Why it ends, in words; undefined where nothing is over its limit. */
function overOf(...all: readonly Held[]): string | undefined {
  const over = all.find(({ used, limit }) => limit !== null && used > limit);
  if (over === undefined) return undefined;
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  return `files of ${over.of} take ${mebibytes(over.used)}, and its quota is ${mebibytes(over.limit ?? 0)}: jobs that can write there are ended; apolo rm makes room`;
}

async function limited(db: ApiDeps['database']['db']) {
  const { rows } = await sql<{ org: string; project: string; limit: number | null; orgLimit: number | null }>`
    select p.org, p.name as project, (p.quota->>'files')::float8 as "limit", (o.quota->>'files')::float8 as "orgLimit"
    from projects as p join organizations as o on o.name = p.org
    where p.quota ? 'files' or o.quota ? 'files'`.execute(db);
  return rows;
}

async function askUsage(url: string): Promise<readonly Usage[]> {
  const response = await fetch(`${url}/usage`, { signal: AbortSignal.timeout(TIME_MS) });
  if (!response.ok) throw new Error(`the file storage answers ${response.status} for what projects use`);
  return told.parse(await response.json()).projects;
}

/** Jobs that had begun when it was looked, and may write to the project. */
async function writersOf(
  db: ApiDeps['database']['db'],
  cluster: string,
  { org, project, looked }: Usage,
): Promise<readonly string[]> {
  const mount = JSON.stringify([{ org, project, readOnly: false }]);
  const { rows } = await sql<{ id: string }>`
    select id from jobs where cluster = ${cluster} and phase = 'running' and started_at < ${new Date(looked)}
      and spec->'files' @> ${mount}::jsonb`.execute(db);
  return rows.map(({ id }) => id);
}
