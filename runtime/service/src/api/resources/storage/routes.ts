import { FILE_STORAGE_RIGHTS, RIGHTS } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { uriOf } from '../../authorization/grants.ts';
import type { ApiDeps } from '../../deps.ts';
import { mayDo } from '../../rights.ts';
import { route } from '../../route.ts';

const name = z.string().max(255).optional();
const answer = z.object({
  user: z.string(),
  projects: z.array(
    z.object({
      org: z.string(),
      project: z.string(),
      right: z.enum(RIGHTS),
      limit: z.number().int().nullable().describe('Most bytes of its files; null: no limit'),
      orgLimit: z.number().int().nullable().describe('Most bytes of all files of its organization; null: no limit'),
    }),
  ),
});

/** What the program that has the files asks, with the token that it was shown. It keeps an answer for five seconds. */
export function storageRoutes(app: FastifyInstance, deps: ApiDeps): void {
  route(
    app,
    deps,
    {
      method: 'GET',
      url: FILE_STORAGE_RIGHTS,
      tag: 'storage',
      summary: 'What the caller may do with files of projects: of one, of an organization’s, or of all that it may see',
      query: z.object({ org: name, project: name }),
      response: answer,
    },
    async ({ caller, query }): Promise<z.infer<typeof answer>> => {
      const { org, project } = query;
      const rows = await deps.database.db
        .selectFrom('projects')
        .innerJoin('organizations', 'organizations.name', 'projects.org')
        .select(['projects.org', 'projects.name as project', 'projects.quota', 'organizations.quota as org_quota'])
        .where('projects.retired', '=', false)
        .$if(org !== undefined, (select) => select.where('projects.org', '=', org ?? ''))
        .$if(project !== undefined, (select) => select.where('projects.name', '=', project ?? ''))
        .orderBy('projects.org')
        .orderBy('projects.name')
        .execute();
      const projects = rows.flatMap(({ quota, org_quota: orgQuota, ...row }) => {
        const uris = [uriOf('storage', deps.settings.cluster, row)];
        if (!mayDo(caller, row, 'read', uris)) return [];
        const right = mayDo(caller, row, 'write', uris) ? ('write' as const) : ('read' as const);
        return [{ ...row, right, limit: quota.files ?? null, orgLimit: orgQuota.files ?? null }];
      });
      return { user: caller.user, projects };
    },
  );
}
