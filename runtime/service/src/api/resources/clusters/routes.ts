import { DelosError, type Preset } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { presentClusters } from '../../../db/clusters/present.ts';
import type { Tx } from '../../../db/schema.ts';
import { removePreset, setPreset } from '../../../db/tenancy/presets.ts';
import { administer } from '../../authorization/administer.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';
import { clusterJson } from './json.ts';
import { presetOf, presetRequest } from './request.ts';

const TAG = 'admin';
const PRESETS = '/:cluster/orchestrator/resource_presets';
const path = z.object({ cluster: z.string(), preset: z.string().default('') });

/** Clusters, as administrators see them, and presets beside those of delos.yaml. */
export function clusterRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  const shown = async (name: string): Promise<unknown> => {
    const [found] = await clusterJson(deps, [name]);
    if (found !== undefined) return found;
    throw new DelosError('ERR_NOT_FOUND', `there is no cluster ${JSON.stringify(name)}`);
  };

  route(app, deps, { method: 'GET', url: '', tag: TAG, summary: 'Clusters, for their pools and presets' }, async () =>
    clusterJson(deps, await presentClusters(db, deps.settings.cluster)),
  );
  route(
    app,
    deps,
    { method: 'GET', url: '/:cluster', tag: TAG, summary: 'Refused: the energy that a cluster takes', params: path },
    async () => {
      throw new DelosError('ERR_NOT_IMPLEMENTED', 'energy schedules are not part of this release of Delos');
    },
  );

  const change = async (caller: Caller, cluster: string, done: (tx: Tx) => Promise<void>): Promise<unknown> => {
    administer(caller, undefined, 'platform');
    await deps.database.tx(done);
    return shown(cluster);
  };
  route(
    app,
    deps,
    { method: 'POST', url: PRESETS, tag: TAG, summary: 'Add a preset', params: path, body: presetRequest },
    async ({ params: { cluster }, body, caller }) => {
      const preset: Preset = presetOf(body);
      return change(caller, cluster, (tx) => setPreset(tx, cluster, preset, 'new'));
    },
  );
  route(
    app,
    deps,
    {
      method: 'PUT',
      url: `${PRESETS}/:preset`,
      tag: TAG,
      summary: 'Change a preset',
      params: path,
      body: presetRequest,
    },
    async ({ params: { cluster, preset: name }, body, caller }) => {
      const preset: Preset = presetOf({ ...body, name });
      return change(caller, cluster, (tx) => setPreset(tx, cluster, preset, 'there'));
    },
  );
  route(
    app,
    deps,
    { method: 'DELETE', url: `${PRESETS}/:preset`, tag: TAG, summary: 'Remove a preset', params: path },
    async ({ params: { cluster, preset }, caller }) =>
      change(caller, cluster, (tx) => removePreset(tx, cluster, preset)),
  );
}
