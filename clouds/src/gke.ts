import { gkeConfig } from '../plan/config.ts';
import { gkeCluster } from './gcp/cluster.ts';
import { clusterOf } from './settings.ts';

const made = await clusterOf(gkeConfig, gkeCluster);

export const { cluster, context, kubeconfig, server, machines, storageClasses } = made;
