import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type Expression, type SqlBool, sql } from 'kysely';
import type { Db } from '../../../db/schema.ts';
import type { SecretRow } from '../../../db/secrets/tables.ts';
import type { Caller } from '../../deps.ts';
import type { NamedProject } from '../../project-for.ts';

export type ShownSecret = Pick<SecretRow, 'org' | 'project' | 'name' | 'owner'>;

/** A secret has a few hundred bytes here: what listing takes in memory, however many there are. */
const PAGE = 500;

/** A secret as the official client reads it. Its value is in no answer. */
export const secretJson = ({ org, project, name, owner }: ShownSecret): Record<string, unknown> => ({
  key: name,
  owner,
  org_name: org,
  project_name: project,
});

/** Secrets that the caller may see, page by page, by project and name. */
export async function* listSecrets(
  db: Db,
  cluster: string,
  caller: Caller,
  { org, name: project }: NamedProject,
): AsyncGenerator<readonly ShownSecret[]> {
  const projects = [...caller.roles.keys()];
  let last: ShownSecret | undefined;
  for (;;) {
    const rows: readonly ShownSecret[] = await db
      .selectFrom('secrets')
      .select(['org', 'project', 'name', 'owner'])
      .where('cluster', '=', cluster)
      .$if(typeof org === 'string', (query) => query.where('org', '=', org ?? ''))
      .$if(typeof project === 'string', (query) => query.where('project', '=', project ?? ''))
      .$if(last !== undefined, (query) =>
        query.where(sql<SqlBool>`(org, project, name) > (${last?.org}, ${last?.project}, ${last?.name})`),
      )
      .$if(!caller.admin, (query) =>
        query.where(
          (eb): Expression<SqlBool> =>
            projects.length === 0 ? sql<SqlBool>`false` : eb(sql<string>`org || '/' || project`, 'in', projects),
        ),
      )
      .orderBy('org')
      .orderBy('project')
      .orderBy('name')
      .limit(PAGE)
      .execute();
    if (rows.length > 0) yield rows;
    last = rows.at(-1);
    if (rows.length < PAGE) return;
  }
}

/** Sends secrets as one JSON array, at the reader's pace. */
export async function sendSecrets(
  pages: AsyncIterator<readonly ShownSecret[]>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  // What fails before the first page is there is an answer of its own.
  const first = await pages.next();
  return reply
    .type('application/json; charset=utf-8')
    .send(Readable.from(document(pages, first), { objectMode: true, highWaterMark: 1 }));
}

async function* document(
  pages: AsyncIterator<readonly ShownSecret[]>,
  first: IteratorResult<readonly ShownSecret[]>,
): AsyncGenerator<string> {
  let before = '[';
  for (let page = first; page.done !== true; page = await pages.next()) {
    yield before + page.value.map((secret) => JSON.stringify(secretJson(secret))).join(',');
    before = ',';
  }
  yield before === ',' ? ']' : '[]';
}
