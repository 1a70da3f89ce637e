import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';

/** Services of the client that this release has not: they answer so, rather than with a bare 404. */
const ABSENT: Readonly<Record<string, string>> = {
  '/api/v1/storage': 'storage',
  '/api/v1/secrets': 'secrets',
  '/api/v1/disk': 'disks',
  '/api/v1/buckets': 'buckets',
  '/api/v1/service_accounts': 'service accounts',
  '/api/v1/clusters': 'changing the cluster through the API',
  '/api/v1/apps': 'apps',
  '/apis/apps': 'apps',
  '/kube': 'virtual clusters',
  '/v2': 'the image registry',
};

export function absentServices(app: FastifyInstance): void {
  for (const [prefix, what] of Object.entries(ABSENT)) {
    for (const url of [prefix, `${prefix}/*`]) {
      app.all(url, { schema: { hide: true } }, async () => {
        throw new DelosError('ERR_NOT_IMPLEMENTED', `${what}: not part of this release of Delos`);
      });
    }
  }
}
