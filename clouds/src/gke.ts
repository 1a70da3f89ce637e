import { gkeConfig } from '../plan/config.ts';
import { gkeCluster } from './gcp/cluster.ts';
import { settings } from './settings.ts';

const { cluster: config, platform } = await settings(gkeConfig);
const made = gkeCluster(config, platform);

export const { cluster, context, kubeconfig, server, machines, storageClasses } = made;
