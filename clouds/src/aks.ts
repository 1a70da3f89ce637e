import { aksConfig } from '../plan/config.ts';
import { aksCluster } from './azure/cluster.ts';
import { clusterOf } from './settings.ts';

const made = await clusterOf(aksConfig, aksCluster);

export const { cluster, context, kubeconfig, server, machines, storageClasses } = made;
