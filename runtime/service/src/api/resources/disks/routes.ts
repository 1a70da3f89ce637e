import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { markDisk } from '../../../db/disks-state.ts';
import type { DiskRow } from '../../../db/schema.ts';
import type { ApiDeps } from '../../deps.ts';
import { sendArray } from '../../lists/send-array.ts';
import { depsAt } from '../../paths/cluster-paths.ts';
import { route } from '../../route.ts';
import { createDisk } from './create.ts';
import { findDisk } from './find.ts';
import { diskJson, withJobs } from './json.ts';
import { listDisks } from './list.ts';
import { checkDiskQuotas } from './quotas.ts';
import { diskRequest } from './request.ts';

const params = z.object({ id: z.string().min(1).max(128) });
const query = z.object({ org_name: z.string().max(256).optional(), project_name: z.string().max(256).optional() });
const disk = z.looseObject({ id: z.string(), status: z.string(), storage: z.number() });
const TAG = 'disks';
/** A removal is answered when the cluster has taken the disk away, or after so long. */
const REMOVAL_MS = 2_000;
const LOOK_MS = 100;

/** Disks: make, list, look, remove. */
export function diskRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;
  const show = async (row: DiskRow): Promise<unknown> => {
    const [shown] = await withJobs(database.db, [row]);
    return shown === undefined ? undefined : diskJson(shown);
  };

  route(
    app,
    deps,
    { method: 'POST', url: '', tag: TAG, summary: 'Make a disk', body: diskRequest, response: disk, success: [201] },
    async ({ body, caller, request, reply }) => {
      const context = {
        cluster: (await depsAt(deps, request)).settings.cluster,
        ownCluster: settings.cluster,
        caller,
        settings: settings.disks,
        checkQuota: checkDiskQuotas,
      };
      const row = await database.tx((tx) => createDisk(tx, body, context));
      deps.log.info({ disk: row.id, user: caller.user, storage: row.storage }, 'disk made');
      return reply.code(201).send(await show(row));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '', tag: TAG, summary: 'List disks', query, response: z.array(disk) },
    async ({ query: { org_name: org, project_name: name }, caller, request, reply }) => {
      const { cluster } = (await depsAt(deps, request)).settings;
      return sendArray(listDisks(database.db, cluster, caller, { org, name }), diskJson, reply);
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One disk, by id or name', params, query, response: disk },
    async ({ params: { id }, query: { org_name: org, project_name: name }, caller, request }) =>
      show(await findDisk(await depsAt(deps, request), caller, id, 'read', { org, name })),
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      url: '/:id',
      tag: TAG,
      summary: 'Remove a disk; one that jobs have goes with the last of them (202), and takes no further job',
      params,
      query,
      success: [202, 204],
    },
    async ({ params: { id }, query: { org_name: org, project_name: name }, caller, request, reply }) => {
      const found = await findDisk(await depsAt(deps, request), caller, id, 'write', { org, name });
      await database.tx((tx) => markDisk(tx, found.id));
      const after = await untilRemoved(found.id);
      deps.log.info({ disk: found.id, user: caller.user, after }, 'disk removed');
      return after === 'gone' ? reply.code(204).send() : reply.code(202).send();
    },
  );

  /** Whoever looks right after a removal shall find neither the disk nor what it counted for. */
  async function untilRemoved(id: string): Promise<'gone' | 'marked' | 'removing'> {
    for (const end = Date.now() + REMOVAL_MS; ; ) {
      const row = await database.db.selectFrom('disks').select('phase').where('id', '=', id).executeTakeFirst();
      if (row === undefined) return 'gone';
      if (row.phase === 'marked' || Date.now() >= end) return row.phase === 'removing' ? 'removing' : 'marked';
      await sleep(LOOK_MS);
    }
  }
}
