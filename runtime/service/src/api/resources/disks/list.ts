import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type Expression, type SqlBool, sql } from 'kysely';
import type { Db, DiskRow } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import type { NamedProject } from '../../project-for.ts';
import { diskJson, type ShownDisk, withJobs } from './json.ts';

/** A disk has a few hundred bytes: what listing takes in memory, however many there are. */
const PAGE = 200;

/** Disks that the caller may see, page by page, in the order of their ids. */
export async function* listDisks(
  db: Db,
  cluster: string,
  caller: Caller,
  { org, name: project }: NamedProject,
): AsyncGenerator<readonly ShownDisk[]> {
  const projects = [...caller.roles.keys()];
  for (let last = ''; ; ) {
    const rows: readonly DiskRow[] = await db
      .selectFrom('disks')
      .selectAll()
      .where('cluster', '=', cluster)
      .where('phase', '<>', 'removing')
      .where('id', '>', last)
      .$if(typeof org === 'string', (query) => query.where('org', '=', org ?? ''))
      .$if(typeof project === 'string', (query) => query.where('project', '=', project ?? ''))
      .$if(!caller.admin, (query) =>
        query.where(
          (eb): Expression<SqlBool> =>
            projects.length === 0 ? sql<SqlBool>`false` : eb(sql<string>`org || '/' || project`, 'in', projects),
        ),
      )
      .orderBy('id')
      .limit(PAGE)
      .execute();
    if (rows.length > 0) yield await withJobs(db, rows);
    const end = rows.at(-1)?.id;
    if (rows.length < PAGE || end === undefined) return;
    last = end;
  }
}

/** Sends disks as one JSON array, at the reader's pace. */
export async function sendDisks(
  pages: AsyncIterator<readonly ShownDisk[]>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  // What fails before the first page is there is an answer of its own.
  const first = await pages.next();
  return reply
    .type('application/json; charset=utf-8')
    .send(Readable.from(document(pages, first), { objectMode: true, highWaterMark: 1 }));
}

async function* document(
  pages: AsyncIterator<readonly ShownDisk[]>,
  first: IteratorResult<readonly ShownDisk[]>,
): AsyncGenerator<string> {
  let before = '[';
  for (let page = first; page.done !== true; page = await pages.next()) {
    yield before + page.value.map((disk) => JSON.stringify(diskJson(disk))).join(',');
    before = ',';
  }
  yield before === ',' ? ']' : '[]';
}
