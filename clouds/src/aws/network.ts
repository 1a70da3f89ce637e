import ec2 from '@pulumi/aws/ec2/index.js';
import type pulumi from '@pulumi/pulumi';
import type { EksConfig } from '../../plan/config.ts';

export interface Network {
  readonly vpcId: pulumi.Output<string>;
  /** Where nodes are: no address of theirs can be reached from outside. */
  readonly privateSubnets: readonly pulumi.Output<string>[];
  readonly publicSubnets: readonly pulumi.Output<string>[];
  /** What must be there before a node can reach anything. */
  readonly ways: readonly pulumi.Resource[];
}

/** A network with a public and a private part in each zone; private parts go out by one translator. */
export function networkOf({ name, network, zones }: EksConfig, provider: pulumi.ProviderResource): Network {
  const tags = (of: string): Record<string, string> => ({ Name: `${name}-${of}` });
  const shared = { [`kubernetes.io/cluster/${name}`]: 'shared' };
  const vpc = new ec2.Vpc(
    name,
    {
      cidrBlock: network,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags: tags('network'),
    },
    { provider },
  );
  const internet = new ec2.InternetGateway(name, { vpcId: vpc.id, tags: tags('internet') }, { provider });
  const [first = '0', second = '0'] = network.split('.');
  const subnet = (kind: 'public' | 'private', zone: string, index: number) =>
    new ec2.Subnet(
      `${name}-${kind}-${index}`,
      {
        vpcId: vpc.id,
        availabilityZone: zone,
        cidrBlock: `${first}.${second}.${(kind === 'public' ? 0 : 128) + index * 16}.0/20`,
        mapPublicIpOnLaunch: kind === 'public',
        // Where load balancers go.
        tags: { ...tags(kind), ...shared, [`kubernetes.io/role/${kind === 'public' ? 'elb' : 'internal-elb'}`]: '1' },
      },
      { provider },
    );
  const publicSubnets = zones.map((zone, index) => subnet('public', zone, index));
  const privateSubnets = zones.map((zone, index) => subnet('private', zone, index));
  const route = (kind: string, target: { gatewayId: pulumi.Input<string> } | { natGatewayId: pulumi.Input<string> }) =>
    new ec2.RouteTable(
      `${name}-${kind}`,
      {
        vpcId: vpc.id,
        routes: [{ cidrBlock: '0.0.0.0/0', ...target }],
        tags: tags(kind),
      },
      { provider },
    );
  const outward = route('public', { gatewayId: internet.id });
  const join = (kind: string, table: ec2.RouteTable, subnets: readonly ec2.Subnet[]) =>
    subnets.map(
      (each, index) =>
        new ec2.RouteTableAssociation(
          `${name}-${kind}-${index}`,
          { subnetId: each.id, routeTableId: table.id },
          { provider },
        ),
    );
  const joined = join('public', outward, publicSubnets);
  const address = new ec2.Eip(name, { domain: 'vpc', tags: tags('out') }, { provider, dependsOn: [internet] });
  const [place] = publicSubnets;
  if (place === undefined) throw new Error('a cluster has two zones at least');
  const translator = new ec2.NatGateway(
    name,
    { allocationId: address.id, subnetId: place.id, tags: tags('out') },
    { provider, dependsOn: joined },
  );
  const inward = join('private', route('private', { natGatewayId: translator.id }), privateSubnets);
  return {
    vpcId: vpc.id,
    publicSubnets: publicSubnets.map(({ id }) => id),
    privateSubnets: privateSubnets.map(({ id }) => id),
    ways: [...joined, ...inward],
  };
}
