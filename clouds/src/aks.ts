import { aksConfig } from '../plan/config.ts';
import { aksCluster } from './azure/cluster.ts';
import { settings } from './settings.ts';

const { cluster: config, platform } = await settings(aksConfig);
const made = aksCluster(config, platform);

export const { cluster, context, kubeconfig, server, machines, storageClasses } = made;
