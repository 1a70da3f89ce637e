import { eksConfig } from '../plan/config.ts';
import { eksCluster } from './aws/cluster.ts';
import { clusterOf } from './settings.ts';

const made = await clusterOf(eksConfig, eksCluster);

export const { cluster, context, kubeconfig, server, machines, storageClasses } = made;
