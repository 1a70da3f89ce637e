import type { DelosConfig } from '@delos/constructs';
import eks from '@pulumi/aws/eks/index.js';
import { Provider } from '@pulumi/aws/provider.js';
import pulumi from '@pulumi/pulumi';
import { AWS_MACHINES } from '../../plan/aws-machines.ts';
import type { EksConfig } from '../../plan/config.ts';
import { poolsOf } from '../../plan/pools.ts';
import { checkStorage } from '../../plan/storage.ts';
import { type ClusterOutputs, kubeconfigBy, outputsOf } from '../outputs.ts';
import { networkOf } from './network.ts';
import { nodeGroup } from './nodes.ts';
import { controlRole, diskRole, nodeRole } from './roles.ts';

/** A cluster of Amazon EKS with the pools of a delos.yaml. @throws DelosError ERR_CONFIG_VALUE before anything is registered */
export function eksCluster(config: EksConfig, platform: DelosConfig): ClusterOutputs {
  checkStorage(platform, 'awsEbs', false);
  const pools = poolsOf(platform, config, AWS_MACHINES);
  const { name, region, endpoint } = config;
  // All of it is in the region of the file, whatever the account's own is.
  const provider = new Provider(name, { region });
  const network = networkOf(config, provider);
  const control = controlRole(name, provider);
  const cluster = new eks.Cluster(
    name,
    {
      name,
      roleArn: control.arn,
      ...(config.version === undefined ? {} : { version: config.version }),
      accessConfig: { authenticationMode: 'API', bootstrapClusterCreatorAdminPermissions: true },
      vpcConfig: {
        subnetIds: [...network.privateSubnets, ...network.publicSubnets],
        endpointPrivateAccess: true,
        endpointPublicAccess: !endpoint.private,
        ...(endpoint.from.length === 0 ? {} : { publicAccessCidrs: [...endpoint.from] }),
      },
    },
    { provider, dependsOn: [...control.rights] },
  );
  const addon = (addonName: string, more: Partial<eks.AddonArgs> = {}, dependsOn: readonly pulumi.Resource[] = []) =>
    new eks.Addon(
      `${name}-${addonName}`,
      {
        clusterName: cluster.name,
        addonName,
        resolveConflictsOnCreate: 'OVERWRITE',
        resolveConflictsOnUpdate: 'OVERWRITE',
        ...more,
      },
      { provider, dependsOn: [...dependsOn] },
    );
  // Without it NetworkPolicies are taken, and do nothing.
  const policies = addon('vpc-cni', { configurationValues: JSON.stringify({ enableNetworkPolicy: 'true' }) });
  const nodes = nodeRole(name, provider);
  const groups = pools.map((pool) =>
    nodeGroup(name, pool, {
      cluster,
      roleArn: nodes.arn,
      subnets: network.privateSubnets,
      dependsOn: [policies, ...nodes.rights, ...network.ways],
      provider,
    }),
  );
  // Pods do not reach the credentials of their node: the driver of disks is given its own.
  const identity = addon('eks-pod-identity-agent', {}, groups);
  const disks = diskRole(name, provider);
  addon(
    'aws-ebs-csi-driver',
    { podIdentityAssociations: [{ roleArn: disks.arn, serviceAccount: 'ebs-csi-controller-sa' }] },
    [identity, ...disks.rights],
  );
  addon('coredns', {}, groups);
  addon('kube-proxy');
  const context = `delos-${name}`;
  const authority = cluster.certificateAuthority.data;
  const kubeconfig = pulumi.all([cluster.endpoint, authority]).apply(([at, trusted]) =>
    kubeconfigBy(
      context,
      { server: at, authority: trusted },
      {
        command: 'aws',
        args: ['eks', 'get-token', '--cluster-name', name, '--region', region],
      },
    ),
  );
  return outputsOf({ cluster: cluster.name, context, kubeconfig, server: cluster.endpoint }, pools, platform, 'awsEbs');
}
