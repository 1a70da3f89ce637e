import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { extendedResources } from '../preset-resources.ts';
import { countFits, freeNodes } from '../scheduler/capacity.ts';
import { loadActive, loadNodes } from '../scheduler/load.ts';
import { needsOf } from '../scheduler/model.ts';
import type { ApiDeps } from './deps.ts';
import { route } from './route.ts';

/** GET /jobs/capacity: how many more jobs of each preset would find room now, quotas aside. */
export function capacityRoute(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  const { cluster } = deps.settings;
  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/jobs/capacity',
      tag: 'jobs',
      summary: 'Jobs of each preset that fit now',
      response: z.record(z.string(), z.number().int()),
    },
    async () => {
      const [own, reports, active] = await Promise.all([
        db.selectFrom('clusters').select('presets').where('name', '=', cluster).executeTakeFirst(),
        loadNodes(db, cluster),
        loadActive(db, cluster),
      ]);
      const nodes = freeNodes(reports, active);
      return Object.fromEntries(
        (own?.presets ?? []).map((preset) => {
          const needs = needsOf({ cpu: preset.cpu, memory: preset.memory, extended: extendedResources(preset) });
          return [preset.name, countFits(nodes, needs, preset.pools)];
        }),
      );
    },
  );
}
