import { GPU_FIELDS, GPU_KINDS, isDelosError, type NodePool, type NodeReport, type Preset } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { presentClusters } from '../../../db/clusters/present.ts';
import type { Db } from '../../../db/schema.ts';
import { callerOf } from '../../admit-requests.ts';
import { standsIn } from '../../authorization/administer.ts';
import type { ApiDeps, Caller, OidcSettings } from '../../deps.ts';
import { httpError } from '../../http-errors.ts';
import { configUrls } from '../../known-services.ts';

/**
 * GET /config: where everything is. The client compares what it stored with what it gets after an upgrade and makes
 * people log in again if they differ, so nothing in it may depend on the request's host or on the moment.
 */
export function configRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, resources, settings } = deps;
  app.get('', { schema: { summary: "The client's configuration", tags: ['config'] } }, async (request) => {
    const auth = { ...authBlock(settings.oidc), ...configUrls(resources, settings.publicUrl, 'public') };
    if (request.headers.authorization === undefined) return auth;
    let caller: Caller;
    try {
      caller = await callerOf(deps, request);
    } catch (error) {
      // Any other status than 200 is a crash to the client; this is a plain refusal.
      if (isDelosError(error, 'ERR_UNAUTHENTICATED')) return { ...auth, authorized: false, ...httpError(error).body };
      throw error;
    }
    return {
      ...auth,
      authorized: true,
      ...configUrls(resources, settings.publicUrl, 'platform'),
      ...(await platform(database.db, caller, deps)),
    };
  });
}

function authBlock(oidc: OidcSettings): Record<string, unknown> {
  const protocol = `${oidc.issuer}/protocol/openid-connect`;
  return {
    auth_url: `${protocol}/auth`,
    token_url: `${protocol}/token`,
    logout_url: `${protocol}/logout`,
    client_id: oidc.clientId,
    audience: oidc.clientId,
    callback_urls: ['http://127.0.0.1:54540', 'http://127.0.0.1:54541', 'http://127.0.0.1:54542'],
    success_redirect_url: '',
  };
}

async function platform(db: Db, caller: Caller, { resources, settings }: ApiDeps): Promise<Record<string, unknown>> {
  const present = await presentClusters(db, settings.cluster);
  const [clusters, nodes, all] = await Promise.all([
    db.selectFrom('clusters').selectAll().where('name', 'in', present).execute(),
    db
      .selectFrom('nodes')
      .select(['cluster', 'report'])
      .where('cluster', 'in', present)
      .orderBy('cluster')
      .orderBy('name')
      .execute(),
    db
      .selectFrom('projects')
      .innerJoin('organizations', 'organizations.name', 'projects.org')
      .select(['projects.org', 'projects.name'])
      .where('projects.retired', '=', false)
      .orderBy('organizations.position')
      .orderBy('projects.position')
      .execute(),
  ]);
  // What somebody is given of a whole project lets them stand in it, and a service account begins in one.
  const projects = all.filter(
    (row) =>
      caller.admin ||
      caller.roles.has(`${row.org}/${row.name}`) ||
      standsIn(caller, { org: row.org, project: row.name }),
  );
  // One of whom somebody is a manager may have no project yet.
  const orgs = [...new Set([...projects.map(({ org }) => org), ...(caller.orgs?.keys() ?? [])])];
  const byName = new Map(clusters.map((cluster) => [cluster.name, cluster]));
  return {
    // A user in no project gets no cluster: the client would stumble over one without organizations.
    clusters:
      orgs.length === 0
        ? []
        : present.flatMap((name) => {
            const cluster = byName.get(name);
            if (cluster === undefined) return [];
            const { pools, presets } = cluster;
            const own = nodes.filter((node) => node.cluster === name).map((node) => node.report);
            const on = name === settings.cluster ? undefined : name;
            return [
              {
                name,
                orgs,
                ...configUrls(resources, settings.publicUrl, 'cluster', on),
                resource_pool_types: pools.map((pool) => poolJson(pool, own)),
                resource_presets: presets.map((preset) => presetJson(preset, pools)),
              },
            ];
          }),
    // Each project is on each cluster.
    projects: present.flatMap((cluster) =>
      projects.map(({ org, name }) => ({
        name,
        cluster_name: cluster,
        org_name: org,
        role: caller.roles.get(`${org}/${name}`) ?? (caller.admin ? 'admin' : 'reader'),
      })),
    ),
  };
}

function devices(of: Preset | NodePool): Record<string, unknown> {
  return Object.fromEntries(
    GPU_FIELDS.flatMap((field) => {
      const gpu = of[field];
      if (gpu === undefined) return [];
      // The client needs a model of a pool's devices.
      return [
        [
          GPU_KINDS[field].wire,
          { count: gpu.count, model: gpu.model ?? 'any', ...(gpu.memory && { memory: gpu.memory }) },
        ],
      ];
    }),
  );
}

export function presetJson(preset: Preset, pools: readonly NodePool[]): Record<string, unknown> {
  const names = pools
    .map((pool) => pool.name)
    .filter((name) => preset.pools.length === 0 || preset.pools.includes(name));
  return {
    name: preset.name,
    credits_per_hour: preset.creditsPerHour,
    cpu: preset.cpu,
    memory: preset.memory,
    ...devices(preset),
    scheduler_enabled: preset.preemptible,
    preemptible_node: preset.preemptible,
    resource_pool_names: preset.pools,
    available_resource_pool_names: names,
  };
}

/** Sizes that the configuration leaves out are the largest node's, rounded up to whole cores and GiB to stay stable. */
export function poolJson(pool: NodePool, nodes: readonly NodeReport[]): Record<string, unknown> {
  const own = nodes.filter((node) => node.pool === pool.name);
  const gib = 2 ** 30;
  return {
    name: pool.name,
    min_size: pool.minSize,
    max_size: pool.maxSize,
    cpu: pool.cpu ?? Math.ceil(Math.max(0, ...own.map((node) => node.cpu))),
    memory: pool.memory ?? Math.ceil(Math.max(0, ...own.map((node) => node.memory)) / gib) * gib,
    disk_size: pool.disk ?? 0,
    ...devices(pool),
    is_preemptible: pool.preemptible,
  };
}
