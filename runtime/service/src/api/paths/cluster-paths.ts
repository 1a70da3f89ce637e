import type { IncomingMessage } from 'node:http';
import { DelosError } from '@delos/core';
import type { FastifyRequest } from 'fastify';
import { heldClusters } from '../../db/clusters/present.ts';
import type { ApiDeps } from '../deps.ts';

/*
 * The client adds the name of no cluster to most of its requests: it asks each cluster at the addresses that /config gives of
 * it. Those of the platform's own cluster are the plain ones. Those of another one have its name in the path, and are
 * served by the same routes: `/api/v1/on/NAME/jobs/…` is `/api/v1/jobs/…`, of cluster NAME.
 */

const API = '/api/v1';
const ON = `${API}/on/`;

const named = new WeakMap<IncomingMessage, string>();

/** Splits what names a cluster off a path, its query included. */
export function splitCluster(url: string): { readonly url: string; readonly cluster: string | undefined } {
  const [, name, rest = ''] = url.startsWith(ON) ? (/^([a-z0-9-]{1,63})(\/.*)$/.exec(url.slice(ON.length)) ?? []) : [];
  return name === undefined ? { url, cluster: undefined } : { url: API + rest, cluster: name };
}

/** Fastify's `rewriteUrl`. */
export function rewriteUrl(request: IncomingMessage): string {
  const { url, cluster } = splitCluster(request.url ?? '/');
  if (cluster !== undefined) named.set(request, cluster);
  return url;
}

/** Where a cluster's services are, for one that is not the platform's own. @param prefix as of the platform's own */
export const prefixOn = (cluster: string, prefix: string): string =>
  prefix.startsWith(`${API}/`) ? `${ON}${cluster}${prefix.slice(API.length)}` : prefix;

/** The same, but for the cluster that the request's path names. @throws DelosError ERR_NOT_FOUND where there is none */
export async function depsAt<D extends Pick<ApiDeps, 'database' | 'settings'>>(
  deps: D,
  request: FastifyRequest | string | undefined,
): Promise<D> {
  const cluster = typeof request === 'string' || request === undefined ? request : named.get(request.raw);
  const { settings } = deps;
  if (cluster === undefined || cluster === settings.cluster) return deps;
  if (!(await heldClusters(deps.database.db, settings.cluster)).includes(cluster)) {
    throw new DelosError('ERR_NOT_FOUND', `there is no cluster ${cluster}`, {
      hint: 'apolo config get-clusters lists them',
    });
  }
  return { ...deps, settings: { ...settings, cluster } };
}
