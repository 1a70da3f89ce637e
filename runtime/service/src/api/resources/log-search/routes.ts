import { DelosError, foundLines, jobId, logsQl, MOST_FOUND_LINES } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ApiDeps } from '../../deps.ts';
import { visibleProjects } from '../../live-projects.ts';
import { route } from '../../route.ts';
import { askStore } from './store.ts';

/** A question names each project. */
const MOST_PROJECTS = 200;
const MOST_TEXT = 1_000;

const name = z.string().min(1).max(100);
const query = z.object({
  search: z.string().min(1).max(MOST_TEXT).describe('Text that is in the line, in small or capital letters'),
  since: z.string().optional().describe('Such as 30m, 12h or 7d: lines of that time until now; left out: 1d'),
  job: jobId.optional(),
  org_name: name.optional(),
  project_name: name.optional(),
  owner: name.optional().describe('Lines of jobs of this user'),
  limit: z.coerce.number().int().min(1).max(MOST_FOUND_LINES).default(100).describe('Lines at most, the newest'),
});

const answer = z.object({
  lines: z.array(
    z.object({
      time: z.string().describe('RFC 3339, with nanoseconds'),
      text: z.string(),
      output: z.string().describe('stdout or stderr'),
      job: z.string(),
      org_name: z.string(),
      project_name: z.string(),
      owner: z.string(),
    }),
  ),
  cut: z.boolean().describe('There are older ones that are not in this answer, which is too large'),
});

export function searchRoutes(app: FastifyInstance, deps: ApiDeps): void {
  route(
    app,
    deps,
    {
      ...{ method: 'GET', url: '', tag: 'logs', query, response: answer },
      summary: 'Lines of jobs, also of those that are gone, in the projects that the caller may read; the oldest first',
    },
    async ({ caller, query: asked }) => {
      const url = deps.settings.logSearchUrl;
      if (url === undefined) throw new DelosError('ERR_INTERNAL', 'there is nothing to search logs in');
      const wanted = (project: string): boolean => {
        const [org, name] = project.split('/');
        return (asked.org_name ?? org) === org && (asked.project_name ?? name) === name;
      };
      const within = (await visibleProjects(deps.database.db, caller)).filter(wanted);
      if (within.length === 0) return { lines: [], cut: false };
      if (within.length > MOST_PROJECTS) {
        throw new DelosError(
          'ERR_REQUEST',
          `${within.length} projects are too many: logs of ${MOST_PROJECTS} are searched at once`,
          { where: { field: 'project_name' }, hint: 'name the project, or the organization' },
        );
      }
      const { search, since, job, owner: user, limit } = asked;
      const question = logsQl({ search, since, job, user, limit, within });
      const { text, cut } = await askStore(url, '/select/logsql/query', { query: question }, deps.signal);
      const lines = foundLines(text).map(({ _time: time, _msg: message, output, ...of }) => ({
        ...{ time, text: message, output, job: of.job ?? '' },
        ...{ org_name: of.organization ?? '', project_name: of.project ?? '', owner: of.user ?? '' },
      }));
      return { lines, cut };
    },
  );
}
