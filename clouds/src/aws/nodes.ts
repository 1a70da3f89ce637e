import { GPU_KINDS } from '@delos/core';
import ec2 from '@pulumi/aws/ec2/index.js';
import eks from '@pulumi/aws/eks/index.js';
import type pulumi from '@pulumi/pulumi';
import type { MachinePool } from '../../plan/pools.ts';

interface Place {
  readonly cluster: eks.Cluster;
  readonly roleArn: pulumi.Output<string>;
  readonly subnets: readonly pulumi.Output<string>[];
  readonly dependsOn: readonly pulumi.Resource[];
  readonly provider: pulumi.ProviderResource;
}

/** One set of machines, as a managed node group. */
export function nodeGroup(
  cluster: string,
  pool: MachinePool,
  { roleArn, subnets, dependsOn, provider, ...at }: Place,
): eks.NodeGroup {
  const { name, gpu, labels } = pool;
  const template = new ec2.LaunchTemplate(
    `${cluster}-${name}`,
    {
      blockDeviceMappings: [
        { deviceName: '/dev/xvda', ebs: { volumeSize: pool.disk, volumeType: 'gp3', encrypted: 'true' } },
      ],
      // One hop: nothing that runs in a Pod reaches the node's credentials.
      metadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1, httpEndpoint: 'enabled' },
      userData: Buffer.from(nodeSettings()).toString('base64'),
      updateDefaultVersion: true,
    },
    { provider },
  );
  return new eks.NodeGroup(
    `${cluster}-${name}`,
    {
      clusterName: at.cluster.name,
      nodeRoleArn: roleArn,
      subnetIds: [...subnets],
      instanceTypes: [pool.type],
      amiType: gpu?.field === 'nvidiaGpu' ? 'AL2023_x86_64_NVIDIA' : 'AL2023_x86_64_STANDARD',
      capacityType: pool.preemptible ? 'SPOT' : 'ON_DEMAND',
      launchTemplate: { id: template.id, version: template.latestVersion.apply(String) },
      scalingConfig: { minSize: pool.minSize, maxSize: pool.maxSize, desiredSize: pool.minSize },
      labels: { ...labels },
      // Jobs that ask for the device tolerate it, and nothing else takes its place.
      taints:
        gpu === undefined ? [] : [{ key: GPU_KINDS[gpu.field].resource, value: 'present', effect: 'NO_SCHEDULE' }],
    },
    // An autoscaler in the cluster changes how many there are.
    { provider, dependsOn: [...dependsOn], ignoreChanges: ['scalingConfig.desiredSize'] },
  );
}

/**
 * What a node of Amazon Linux 2023 is told: one job may not use up the processes of its node.
 * @see https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/
 */
const nodeSettings = (): string =>
  [
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="delos"',
    '',
    '--delos',
    'Content-Type: application/node.eks.aws',
    '',
    'apiVersion: node.eks.aws/v1alpha1',
    'kind: NodeConfig',
    'spec:',
    '  kubelet:',
    '    config:',
    '      podPidsLimit: 4096',
    '',
    '--delos--',
    '',
  ].join('\n');
