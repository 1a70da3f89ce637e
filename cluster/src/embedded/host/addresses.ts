/*
 * Instance number n (0–99) gives every address, so that instances on one machine never meet:
 *   veth 10.201.n.0/30 (machine .1, node .2), Pods 10.202.n.0/24, Services 10.203.n.0/24, cluster DNS 10.203.n.10.
 */

export const INSTANCE_NUMBERS = 100;
export const NODE_NAME = 'node-1';

export interface Addresses {
  readonly number: number;
  /** The machine's end of the veth pair. */
  readonly hostIp: string;
  readonly nodeIp: string;
  readonly linkCidr: string;
  readonly podCidr: string;
  /** What every Pod has as its default route; it sits on each Pod's veth. Outside the node, it is the address of all Pods. */
  readonly podGateway: string;
  readonly serviceCidr: string;
  /** The `kubernetes` Service. */
  readonly apiServiceIp: string;
  readonly dnsIp: string;
  /** Name of the machine's end of the veth pair. */
  readonly link: string;
  /** Name of the instance's one nft table on the machine. */
  readonly table: string;
}

export function addressesOf(number: number): Addresses {
  if (!Number.isInteger(number) || number < 0 || number >= INSTANCE_NUMBERS) {
    throw new RangeError(`instance number ${number} is not within 0–${INSTANCE_NUMBERS - 1}`);
  }
  return {
    number,
    hostIp: `10.201.${number}.1`,
    nodeIp: `10.201.${number}.2`,
    linkCidr: `10.201.${number}.0/30`,
    podCidr: `10.202.${number}.0/24`,
    podGateway: `10.202.${number}.1`,
    serviceCidr: `10.203.${number}.0/24`,
    apiServiceIp: `10.203.${number}.1`,
    dnsIp: `10.203.${number}.10`,
    link: `delos-${number}`,
    table: `delos_${number}`,
  };
}

function toInt(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Do two IPv4 networks (`a.b.c.d/len`; no length means /32) share an address? */
export function overlaps(left: string, right: string): boolean {
  const [leftBase = '', leftLength = '32'] = left.split('/');
  const [rightBase = '', rightLength = '32'] = right.split('/');
  const size = 2 ** (32 - Math.min(Number(leftLength), Number(rightLength)));
  return Math.floor(toInt(leftBase) / size) === Math.floor(toInt(rightBase) / size);
}

/** Prefix length of a network; 32 where none is written. */
export function prefixLength(network: string): number {
  return Number(network.split('/')[1] ?? '32');
}
