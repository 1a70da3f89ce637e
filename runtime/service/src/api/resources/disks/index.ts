import { heldClusters } from '../../../db/clusters/present.ts';
import { sweepDisks } from '../../../db/disks-state.ts';
import type { DiskRow } from '../../../db/schema.ts';
import type { ObjectResource, QuotaResource } from '../../resource.ts';
import { findDisk } from './find.ts';
import { checkDiskQuotas, type DiskDemand } from './quotas.ts';
import { diskRoutes } from './routes.ts';

export { diskVolumes, holdDisks, mountsFor } from './mounts.ts';

export const disks: ObjectResource<DiskRow> & QuotaResource<DiskDemand> = {
  name: 'disks',
  title: 'disks',
  prefix: '/api/v1/disk',
  config: [{ in: 'cluster', key: 'disks_url' }],
  tables: ['disks', 'job_disks'],
  routes: diskRoutes,
  find: findDisk,
  quota: checkDiskQuotas,
  sweep: async ({ database, settings, log }) => {
    for (const cluster of await heldClusters(database.db, settings.cluster)) {
      const expired = await database.tx((tx) => sweepDisks(tx, cluster));
      if (expired.length > 0) log.info({ cluster, disks: expired }, 'the life-span of disks is over');
    }
  },
  audit: { 'POST ': 'disk.create', 'DELETE /:id': 'disk.remove' },
};
