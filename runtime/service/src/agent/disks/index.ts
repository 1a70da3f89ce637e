import { CLUSTER_LABEL, DISK_LABEL } from '@delos/core';
import type { KeeperContext, KeeperPart } from '../keeper.ts';
import { ProjectWatches } from '../project-watches.ts';
import { type Claim, claimShape } from './claim-shape.ts';
import { DiskKeeper } from './keeper.ts';

/** The keeper of disks, with a watch of their claims. */
export function diskKeeper(context: KeeperContext): KeeperPart<'disk'> {
  const { client, cluster, log } = context;
  const disks = new DiskKeeper({
    ...context,
    storageClass: context.diskClass,
    follow: (namespace) => claims.follow(namespace),
  });
  const claims: ProjectWatches<Claim> = new ProjectWatches({
    client,
    resource: 'persistentvolumeclaims',
    query: { labelSelector: `${DISK_LABEL},${CLUSTER_LABEL}=${cluster}` },
    read: context.read(claimShape),
    onChange: (claim, gone) => disks.claimChanged(claim, gone),
    log,
  });
  return {
    keeper: {
      kind: 'disk',
      sync: (ids) => disks.sync(ids),
      desire: (desire) => disks.desire(desire),
      forget: (id) => disks.forget(id),
      ack: (id, seq) => disks.ack(id, seq),
      sweep: () => {
        disks.sweep();
        claims.retire(disks.namespaces);
      },
      get size() {
        return disks.size;
      },
    },
    run: async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await claims.close();
    },
    problem: () => undefined,
  };
}
