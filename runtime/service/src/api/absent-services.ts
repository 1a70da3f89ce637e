import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';

/** Services of the client that this release has not: they answer so, rather than with a bare 404. */
const ABSENT: Readonly<Record<string, string>> = {
  '/api/v1/storage': 'storage is',
  '/api/v1/secrets': 'secrets are',
  '/api/v1/disk': 'disks are',
  '/api/v1/buckets': 'buckets are',
  '/api/v1/service_accounts': 'service accounts are',
  '/api/v1/clusters': "the cluster's configuration over the API (it is set in delos.yaml) is",
  '/api/v1/jobs/:id/save': 'saving a job as an image is',
  '/api/v1/apps': 'apps are',
  '/apis/apps': 'apps are',
  '/apis/vcluster': 'virtual clusters are',
  '/v2': 'the image registry is',
};

/** Undefined where the path is none of an absent service. Upgrades, which no route sees, ask here too. */
export function absentAt(path: string): DelosError | undefined {
  const found = Object.entries(ABSENT).find(([prefix]) => {
    const pattern = prefix.replaceAll(/:[a-z]+/g, '[^/]+');
    return new RegExp(`^${pattern}(/|$)`).test(path);
  });
  return found === undefined ? undefined : absent(found[1]);
}

export function absentServices(app: FastifyInstance): void {
  for (const [prefix, what] of Object.entries(ABSENT)) {
    for (const url of [prefix, `${prefix}/*`]) {
      app.all(url, { schema: { hide: true } }, async () => {
        throw absent(what);
      });
    }
  }
}

const absent = (what: string): DelosError =>
  new DelosError('ERR_NOT_IMPLEMENTED', `${what} not part of this release of Delos`);
