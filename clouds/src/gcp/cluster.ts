import type { DelosConfig } from '@delos/constructs';
import container from '@pulumi/gcp/container/index.js';
import projects from '@pulumi/gcp/projects/index.js';
import { Provider } from '@pulumi/gcp/provider.js';
import serviceaccount from '@pulumi/gcp/serviceaccount/index.js';
import pulumi from '@pulumi/pulumi';
import type { GkeConfig } from '../../plan/config.ts';
import { GCP_MACHINES } from '../../plan/gcp-machines.ts';
import { checkGoogleNames } from '../../plan/names.ts';
import { type MachinePool, poolsOf } from '../../plan/pools.ts';
import { checkStorage } from '../../plan/storage.ts';
import { type ClusterOutputs, kubeconfigBy, outputsOf } from '../outputs.ts';
import { networkOf, RANGES } from './network.ts';

/** A cluster of Google Kubernetes Engine with the pools of a delos.yaml. @throws DelosError ERR_CONFIG_VALUE before anything is registered */
export function gkeCluster(config: GkeConfig, platform: DelosConfig): ClusterOutputs {
  checkStorage(platform, 'gcpDisk', true);
  const pools = poolsOf(platform, config, GCP_MACHINES);
  checkGoogleNames(pools);
  const { name, project, location, endpoint, zones } = config;
  const region = regionOf(location);
  const provider = new Provider(name, { project, region });
  const network = networkOf(config, region, provider);
  const account = nodeAccount(config, provider);
  const cluster = new container.Cluster(
    name,
    {
      name,
      location,
      ...(zones.length === 0 ? {} : { nodeLocations: zones.filter((zone) => zone !== location) }),
      ...(config.version === undefined ? {} : { minMasterVersion: config.version }),
      network: network.network,
      subnetwork: network.subnetwork,
      // Pools are resources of their own.
      removeDefaultNodePool: true,
      initialNodeCount: 1,
      deletionProtection: false,
      // It enforces NetworkPolicies.
      datapathProvider: 'ADVANCED_DATAPATH',
      ipAllocationPolicy: { clusterSecondaryRangeName: RANGES.pods, servicesSecondaryRangeName: RANGES.services },
      privateClusterConfig: {
        enablePrivateNodes: true,
        enablePrivateEndpoint: endpoint.private,
        masterIpv4CidrBlock: config.controlPlane,
      },
      // A private API server wants the list, be it empty.
      ...(endpoint.private || endpoint.from.length > 0
        ? { masterAuthorizedNetworksConfig: { cidrBlocks: endpoint.from.map((cidrBlock) => ({ cidrBlock })) } }
        : {}),
      workloadIdentityConfig: { workloadPool: `${project}.svc.id.goog` },
      addonsConfig: { gcePersistentDiskCsiDriverConfig: { enabled: true } },
      releaseChannel: { channel: 'REGULAR' },
    },
    { provider, dependsOn: [...network.ways] },
  );
  for (const pool of pools)
    nodePool(config, pool, { cluster, account: account.email, rights: account.rights, provider });
  const context = `delos-${name}`;
  const server = pulumi.interpolate`https://${cluster.endpoint}`;
  const authority = cluster.masterAuth.apply(({ clusterCaCertificate }) => clusterCaCertificate ?? '');
  const kubeconfig = pulumi.all([server, authority]).apply(([at, trusted]) =>
    kubeconfigBy(
      context,
      { server: at, authority: trusted },
      {
        command: 'gke-gcloud-auth-plugin',
        args: [],
        provideClusterInfo: true,
        installHint: 'gcloud components install gke-gcloud-auth-plugin',
      },
    ),
  );
  return outputsOf({ cluster: cluster.name, context, kubeconfig, server }, pools, platform, 'gcpDisk');
}

/** A zone has a letter more than its region. */
const regionOf = (location: string): string => location.replace(/-[a-z]$/, '');

/** A pool begins with so many nodes in each zone; what is missing to its least size, the autoscaler adds. A region has three by itself. */
const zonesOf = ({ location, zones }: GkeConfig): number => zones.length || (location === regionOf(location) ? 3 : 1);

/** Whom nodes act for: one who may write logs and metrics, and read images, and nothing else of the project. */
function nodeAccount({ name, project }: GkeConfig, provider: pulumi.ProviderResource) {
  const account = new serviceaccount.Account(
    name,
    { accountId: `${name}-nodes`.slice(0, 30).replace(/-$/, ''), displayName: `Nodes of ${name}` },
    { provider },
  );
  const rights = ['roles/container.defaultNodeServiceAccount', 'roles/artifactregistry.reader'].map(
    (role) =>
      new projects.IAMMember(
        `${name}-${role.split('/').at(-1)}`,
        { project, role, member: pulumi.interpolate`serviceAccount:${account.email}` },
        { provider },
      ),
  );
  return { email: account.email, rights };
}

interface Place {
  readonly cluster: container.Cluster;
  readonly account: pulumi.Output<string>;
  readonly rights: readonly pulumi.Resource[];
  readonly provider: pulumi.ProviderResource;
}

function nodePool(
  config: GkeConfig,
  pool: MachinePool,
  { cluster, account, rights, provider }: Place,
): container.NodePool {
  const { accelerator } = pool.machine?.gpu ?? {};
  return new container.NodePool(
    `${config.name}-${pool.name}`,
    {
      name: pool.name,
      cluster: cluster.name,
      location: config.location,
      initialNodeCount: Math.floor(pool.minSize / zonesOf(config)),
      // All zones together, as delos.yaml counts.
      autoscaling: { totalMinNodeCount: pool.minSize, totalMaxNodeCount: pool.maxSize, locationPolicy: 'BALANCED' },
      management: { autoRepair: true, autoUpgrade: true },
      nodeConfig: {
        machineType: pool.type,
        diskSizeGb: pool.disk,
        diskType: 'pd-balanced',
        labels: { ...pool.labels },
        spot: pool.preemptible,
        serviceAccount: account,
        oauthScopes: ['https://www.googleapis.com/auth/cloud-platform'],
        // Pods are told nothing of the node's account.
        workloadMetadataConfig: { mode: 'GKE_METADATA' },
        shieldedInstanceConfig: { enableSecureBoot: true, enableIntegrityMonitoring: true },
        // One job may not use up the processes of its node.
        kubeletConfig: { podPidsLimit: 4096 },
        // GKE gives such nodes a taint of the device by itself, and Pods that ask for it what they need.
        ...(accelerator === undefined || pool.gpu === undefined
          ? {}
          : {
              guestAccelerators: [
                {
                  type: accelerator,
                  count: pool.gpu.count,
                  gpuDriverInstallationConfig: { gpuDriverVersion: 'LATEST' },
                },
              ],
            }),
      },
    },
    // The autoscaler changes how many there are.
    { provider, dependsOn: [...rights], ignoreChanges: ['initialNodeCount'] },
  );
}
