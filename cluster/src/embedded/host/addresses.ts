/*
 * Instance number n (0–99) and node k (1–16) give every address, so that instances on one machine never meet:
 *   link of node k: the (k-1)th /30 of 10.201.n.0/26, the machine's end first, e.g. 10.201.n.1 and 10.201.n.2
 *   Pods: of the first node 10.202.n.0/24, of node k from the second on 10.(202+k).n.0/24
 *   Services of all: 10.203.n.0/24, cluster DNS 10.203.n.10
 */

export const INSTANCE_NUMBERS = 100;
/** Most nodes of one instance. */
export const MOST_NODES = 16;

export interface Addresses {
  readonly number: number;
  /** Which node of the instance, from 1. */
  readonly index: number;
  readonly nodeName: string;
  /** The machine's end of the node's veth pair. */
  readonly hostIp: string;
  readonly nodeIp: string;
  readonly linkCidr: string;
  readonly podCidr: string;
  /** What every Pod has as its default route; it sits on each Pod's veth. Outside the nodes, it is the address of all Pods. */
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

/** The name of a node in its cluster. The first holds the control plane. */
export const nodeName = (index: number): string => `node-${index}`;

/** Of an instance's node; of its first one where none is named. */
export function addressesOf(number: number, index = 1): Addresses {
  within(number, 0, INSTANCE_NUMBERS - 1, 'instance number');
  within(index, 1, MOST_NODES, 'node');
  const first = 4 * (index - 1);
  const pods = `10.${index === 1 ? 202 : 202 + index}.${number}`;
  return {
    number,
    index,
    nodeName: nodeName(index),
    hostIp: `10.201.${number}.${first + 1}`,
    nodeIp: `10.201.${number}.${first + 2}`,
    linkCidr: `10.201.${number}.${first}/30`,
    podCidr: `${pods}.0/24`,
    podGateway: `${pods}.1`,
    serviceCidr: `10.203.${number}.0/24`,
    apiServiceIp: `10.203.${number}.1`,
    dnsIp: `10.203.${number}.10`,
    link: index === 1 ? `delos-${number}` : `delos-${number}-${index}`,
    table: `delos_${number}`,
  };
}

/** All ranges that an instance may have, whatever number of nodes it has today. */
export function networksOf(number: number): readonly string[] {
  const nodes = Array.from({ length: MOST_NODES }, (_, at) => addressesOf(number, at + 1).podCidr);
  return [`10.201.${number}.0/26`, addressesOf(number).serviceCidr, ...nodes];
}

function within(value: number, least: number, most: number, what: string): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${what} ${value} is not within ${least}–${most}`);
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
