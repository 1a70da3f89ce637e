import { DelosError, METRICS_RIGHTS, MOST_METRICS_PROJECTS } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ApiDeps } from '../../deps.ts';
import { visibleProjects } from '../../live-projects.ts';
import type { Resource } from '../../resource.ts';
import { route } from '../../route.ts';

/** Whose metrics a caller may see: what the proxy of metrics asks before it asks Prometheus. */
export const metricsRights = z.strictObject({
  everything: z.boolean().describe('Those of all projects, and of the platform itself'),
  projects: z.array(z.string()).describe('Otherwise those of these projects, as ORGANIZATION/PROJECT'),
});

/** Tells whose metrics a caller may see. */
export const metrics: Resource = {
  name: 'metrics',
  title: 'metrics: whose one may see',
  prefix: METRICS_RIGHTS,
  tables: [],
  // It checks tokens itself, since it takes more of them.
  routes: metricsRoutes,
  audit: {},
};

function metricsRoutes(app: FastifyInstance, deps: ApiDeps): void {
  route(
    app,
    { authenticate: deps.authenticateLogin, requests: deps.requests },
    {
      ...{ method: 'GET', url: '', tag: 'metrics', response: metricsRights },
      summary: 'Whose metrics the caller may see: asked by the proxy of metrics',
    },
    async ({ caller, reply }) => {
      void reply.header('cache-control', 'no-store');
      if (caller.admin) return { everything: true, projects: [] };
      const projects = await visibleProjects(deps.database.db, caller);
      if (projects.length <= MOST_METRICS_PROJECTS) return { everything: false, projects: projects.toSorted() };
      throw new DelosError(
        'ERR_REQUEST',
        `${caller.user} may read ${projects.length} projects, and metrics are shown of ${MOST_METRICS_PROJECTS} at most`,
        { hint: 'ask with a token of a user who has fewer projects' },
      );
    },
  );
}
