import type { Db, DiskRow } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import type { NamedProject } from '../../project-for.ts';
import { type ShownDisk, withJobs } from './json.ts';

/** A disk has a few hundred bytes: what listing takes in memory, however many there are. */
const PAGE = 200;

/** Disks that the caller may see, page by page, in the order of their ids. */
export async function* listDisks(
  db: Db,
  cluster: string,
  caller: Caller,
  { org, name: project }: NamedProject,
): AsyncGenerator<readonly ShownDisk[]> {
  for (let last = ''; ; ) {
    const rows: readonly DiskRow[] = await db
      .selectFrom('disks')
      .selectAll()
      .where('cluster', '=', cluster)
      .where('phase', '<>', 'removing')
      .where('id', '>', last)
      .$if(typeof org === 'string', (query) => query.where('org', '=', org ?? ''))
      .$if(typeof project === 'string', (query) => query.where('project', '=', project ?? ''))
      .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'disk', names: ['id', 'name'] })))
      .orderBy('id')
      .limit(PAGE)
      .execute();
    if (rows.length > 0) yield await withJobs(db, rows);
    const end = rows.at(-1)?.id;
    if (rows.length < PAGE || end === undefined) return;
    last = end;
  }
}
