import iam from '@pulumi/aws/iam/index.js';
import type pulumi from '@pulumi/pulumi';

/** A role of the account that a service of Amazon takes, with rights of theirs. */
export interface Role {
  readonly arn: pulumi.Output<string>;
  /** What must be there before it is used. */
  readonly rights: readonly pulumi.Resource[];
}

function roleFor(name: string, service: string, policies: readonly string[], provider: pulumi.ProviderResource): Role {
  const role = new iam.Role(
    name,
    {
      assumeRolePolicy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: service }, Action: ['sts:AssumeRole', 'sts:TagSession'] }],
      }),
    },
    { provider },
  );
  const rights = policies.map(
    (policy) =>
      new iam.RolePolicyAttachment(
        `${name}-${policy.split('/').at(-1)}`,
        {
          role: role.name,
          policyArn: `arn:aws:iam::aws:policy/${policy}`,
        },
        { provider },
      ),
  );
  return { arn: role.arn, rights };
}

/** That of the control plane. */
export const controlRole = (name: string, provider: pulumi.ProviderResource): Role =>
  roleFor(`${name}-control`, 'eks.amazonaws.com', ['AmazonEKSClusterPolicy'], provider);

/** That of nodes. */
export const nodeRole = (name: string, provider: pulumi.ProviderResource): Role =>
  roleFor(
    `${name}-nodes`,
    'ec2.amazonaws.com',
    ['AmazonEKSWorkerNodePolicy', 'AmazonEKS_CNI_Policy', 'AmazonEC2ContainerRegistryPullOnly'],
    provider,
  );

/** The role of the driver of disks. Its Pods get the role by EKS Pod Identity. */
export const diskRole = (name: string, provider: pulumi.ProviderResource): Role =>
  roleFor(`${name}-disks`, 'pods.eks.amazonaws.com', ['service-role/AmazonEBSCSIDriverPolicy'], provider);
