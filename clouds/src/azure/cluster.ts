import type { DelosConfig } from '@delos/constructs';
import { GPU_KINDS } from '@delos/core';
import containerservice from '@pulumi/azure-native/containerservice/index.js';
import resources from '@pulumi/azure-native/resources/index.js';
import pulumi from '@pulumi/pulumi';
import { AZURE_MACHINES } from '../../plan/azure-machines.ts';
import type { AksConfig } from '../../plan/config.ts';
import { azureNames } from '../../plan/names.ts';
import { type MachinePool, poolsOf } from '../../plan/pools.ts';
import { checkStorage } from '../../plan/storage.ts';
import { type ClusterOutputs, outputsOf } from '../outputs.ts';

/** A cluster of Azure Kubernetes Service with the pools of a delos.yaml. @throws DelosError ERR_CONFIG_VALUE before anything is registered */
export function aksCluster(config: AksConfig, platform: DelosConfig): ClusterOutputs {
  checkStorage(platform, 'azureDisk', true);
  const pools = poolsOf(platform, config, AZURE_MACHINES);
  const names = azureNames(pools);
  const { name, location, endpoint } = config;
  const resourceGroupName =
    config.resourceGroup ?? new resources.ResourceGroup(name, { resourceGroupName: name, location }).name;
  const [system, ...others] = pools;
  if (system === undefined) throw new Error('there is no pool of the platform');
  const cluster = new containerservice.ManagedCluster(name, {
    resourceName: name,
    resourceGroupName,
    location,
    dnsPrefix: name,
    identity: { type: 'SystemAssigned' },
    ...(config.version === undefined ? {} : { kubernetesVersion: config.version }),
    enableRBAC: true,
    agentPoolProfiles: [{ name: 'system', mode: 'System', ...machinesOf(system, config) }],
    // It enforces NetworkPolicies.
    networkProfile: {
      networkPlugin: 'azure',
      networkPluginMode: 'overlay',
      networkDataplane: 'cilium',
      networkPolicy: 'cilium',
      loadBalancerSku: 'standard',
    },
    apiServerAccessProfile: {
      enablePrivateCluster: endpoint.private,
      ...(endpoint.from.length === 0 ? {} : { authorizedIPRanges: [...endpoint.from] }),
    },
    storageProfile: { diskCSIDriver: { enabled: true }, fileCSIDriver: { enabled: true } },
  });
  for (const pool of others) {
    new containerservice.AgentPool(
      `${name}-${pool.name}`,
      {
        resourceName: cluster.name,
        resourceGroupName,
        agentPoolName: names.get(pool.name) ?? '',
        mode: 'User',
        ...machinesOf(pool, config),
      },
      // The autoscaler changes how many there are.
      { ignoreChanges: ['count'] },
    );
  }
  const credentials = containerservice.listManagedClusterUserCredentialsOutput({
    resourceGroupName,
    resourceName: cluster.name,
  });
  const kubeconfig = credentials.apply(({ kubeconfigs: [first] }) => {
    if (first === undefined) throw new Error(`Azure gave no kubeconfig of ${name}`);
    return Buffer.from(first.value, 'base64').toString('utf8');
  });
  const host = endpoint.private ? cluster.privateFQDN : cluster.fqdn;
  const server = pulumi.interpolate`https://${host}:443`;
  // Azure's own kubeconfig names the context by the cluster.
  return outputsOf({ cluster: cluster.name, context: name, kubeconfig, server }, pools, platform, 'azureDisk');
}

/** What a pool is made of, in the cluster's own list and beside it alike. */
function machinesOf(pool: MachinePool, { zones }: AksConfig) {
  const { gpu } = pool;
  return {
    vmSize: pool.type,
    type: 'VirtualMachineScaleSets',
    osType: 'Linux',
    osDiskSizeGB: pool.disk,
    count: pool.minSize,
    ...(pool.maxSize === pool.minSize
      ? {}
      : { enableAutoScaling: true, minCount: pool.minSize, maxCount: pool.maxSize }),
    ...(zones.length === 0 ? {} : { availabilityZones: [...zones] }),
    nodeLabels: { ...pool.labels },
    // One job may not use up the processes of its node.
    kubeletConfig: { podMaxPids: 4096 },
    ...(pool.preemptible ? { scaleSetPriority: 'Spot', scaleSetEvictionPolicy: 'Delete', spotMaxPrice: -1 } : {}),
    // Jobs that ask for the device tolerate it, and nothing else takes its place.
    ...(gpu === undefined
      ? {}
      : { gpuProfile: { driver: 'Install' }, nodeTaints: [`${GPU_KINDS[gpu.field].resource}=present:NoSchedule`] }),
  };
}
