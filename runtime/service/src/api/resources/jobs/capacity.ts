import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Planner } from '../../../scheduler/planner.ts';
import { loadActive, loadFacts, loadNodes } from '../../../scheduler/rows.ts';
import type { ApiDeps } from '../../deps.ts';
import { depsAt } from '../../paths/cluster-paths.ts';
import { route } from '../../route.ts';

/** GET /api/v1/jobs/capacity: how many more jobs of each preset would find room now, whatever the quotas. */
export function capacityRoute(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/capacity',
      tag: 'jobs',
      summary: 'Jobs of each preset that fit now',
      response: z.record(z.string(), z.number().int()),
    },
    async ({ request }) => {
      const { cluster } = (await depsAt(deps, request)).settings;
      const [facts, reports, active] = await Promise.all([
        loadFacts(db, cluster),
        loadNodes(db, cluster),
        loadActive(db, cluster),
      ]);
      // Whoever leaves is still there.
      const there = active.map((job) => ({ ...job, active: job.active && { ...job.active, leaving: false } }));
      const planner = new Planner(facts, reports, there, new Date());
      return Object.fromEntries(facts.presets.map(({ name }) => [name, planner.roomFor(name)]));
    },
  );
}
