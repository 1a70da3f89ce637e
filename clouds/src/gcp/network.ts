import compute from '@pulumi/gcp/compute/index.js';
import type pulumi from '@pulumi/pulumi';
import type { GkeConfig } from '../../plan/config.ts';

export interface Network {
  readonly network: pulumi.Output<string>;
  readonly subnetwork: pulumi.Output<string>;
  /** What must be there before a node can reach anything. */
  readonly ways: readonly pulumi.Resource[];
}

/** Names of the ranges of addresses beside those of nodes. */
export const RANGES = { pods: 'pods', services: 'services' } as const;

/** A network in which nodes have no public address, and go out by one translator. */
export function networkOf(config: GkeConfig, region: string, provider: pulumi.ProviderResource): Network {
  const { name } = config;
  const network = new compute.Network(name, { name, autoCreateSubnetworks: false }, { provider });
  const subnetwork = new compute.Subnetwork(
    name,
    {
      name,
      region,
      network: network.id,
      ipCidrRange: config.network,
      privateIpGoogleAccess: true,
      secondaryIpRanges: [
        { rangeName: RANGES.pods, ipCidrRange: config.pods },
        { rangeName: RANGES.services, ipCidrRange: config.services },
      ],
    },
    { provider },
  );
  const router = new compute.Router(name, { name, region, network: network.id }, { provider });
  const translator = new compute.RouterNat(
    name,
    {
      name,
      region,
      router: router.name,
      natIpAllocateOption: 'AUTO_ONLY',
      sourceSubnetworkIpRangesToNat: 'ALL_SUBNETWORKS_ALL_IP_RANGES',
    },
    { provider },
  );
  return { network: network.id, subnetwork: subnetwork.id, ways: [translator] };
}
