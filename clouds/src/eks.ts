import { eksConfig } from '../plan/config.ts';
import { eksCluster } from './aws/cluster.ts';
import { settings } from './settings.ts';

const { cluster: config, platform } = await settings(eksConfig);
const made = eksCluster(config, platform);

export const { cluster, context, kubeconfig, server, machines, storageClasses } = made;
