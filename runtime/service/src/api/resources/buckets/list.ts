import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { BucketRow, Db } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import { httpError } from '../../http-errors.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import type { NamedProject } from '../../project-for.ts';
import { bucketJson } from './json.ts';

/** A bucket has a few hundred bytes: what listing takes in memory, however many there are. */
const PAGE = 200;

/** Buckets that the caller may see, page by page, in the order of their ids. */
export async function* listBuckets(
  db: Db,
  cluster: string,
  caller: Caller,
  { org, name: project }: NamedProject,
): AsyncGenerator<readonly BucketRow[]> {
  for (let last = ''; ; ) {
    const rows: readonly BucketRow[] = await db
      .selectFrom('buckets')
      .selectAll()
      .where('phase', '<>', 'making')
      .where('id', '>', last)
      .$if(typeof org === 'string' && org !== '', (query) => query.where('org', '=', org ?? ''))
      .$if(typeof project === 'string', (query) => query.where('project', '=', project ?? ''))
      .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'blob', names: ['id', 'name'], cluster })))
      .orderBy('id')
      .limit(PAGE)
      .execute();
    if (rows.length > 0) yield rows;
    const end = rows.at(-1)?.id;
    if (rows.length < PAGE || end === undefined) return;
    last = end;
  }
}

/** Sends buckets as lines of JSON, at the reader's pace. An error that comes after the first page is a line of its own. */
export async function sendBuckets(
  pages: AsyncIterator<readonly BucketRow[]>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  // What fails before the first page is there is an answer of its own.
  const first = await pages.next();
  return reply
    .type('application/x-ndjson')
    .send(Readable.from(lines(pages, first, reply), { objectMode: true, highWaterMark: 1 }));
}

async function* lines(
  pages: AsyncIterator<readonly BucketRow[]>,
  first: IteratorResult<readonly BucketRow[]>,
  reply: FastifyReply,
): AsyncGenerator<string> {
  try {
    for (let page = first; page.done !== true; page = await pages.next()) {
      yield page.value.map((row) => `${JSON.stringify(bucketJson(row))}\n`).join('');
    }
  } catch (error) {
    reply.log.error({ error }, 'listing buckets failed');
    yield `${JSON.stringify({ error: httpError(error).body.error })}\n`;
  }
}
