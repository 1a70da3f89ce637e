import { type SqlBool, sql } from 'kysely';
import type { Db } from '../../../db/schema.ts';
import type { SecretRow } from '../../../db/secrets/tables.ts';
import type { Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
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
      .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'secret', names: ['name'] })))
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
