import { isIPv4 } from 'node:net';
import type { Node } from './jobs/pod-shape.ts';

/** An IPv4 network: its first address as a number, and the length of its prefix. */
interface Network {
  readonly base: number;
  readonly bits: number;
}

/** Most networks that are closed for the nodes' sake. A NetworkPolicy and what enforces it must stay small. */
export const NODE_NETWORKS_LIMIT = 256;

const toNumber = (address: string): number => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
const widen = (address: number, bits: number): number => Math.floor(address / 2 ** (32 - bits)) * 2 ** (32 - bits);
const text = ({ base, bits }: Network): string =>
  `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.')}/${bits}`;

function network(cidr: string): Network {
  const [address = '', bits = '32'] = cidr.split('/');
  return { base: widen(toNumber(address), Number(bits)), bits: Number(bits) };
}

/**
 * Networks that jobs must not reach: those of the settings, and the nodes' own addresses wherever they lie. Where the
 * nodes have too many addresses, networks around them are closed instead of each alone.
 *
 * @param denied IPv4 CIDRs @param nodes as the API server shows them
 */
export function closedNetworks(denied: readonly string[], nodes: Iterable<Node>): readonly string[] {
  const closed = denied.map(network);
  const isClosed = (address: number): boolean => closed.some(({ base, bits }) => widen(address, bits) === base);
  const addresses = new Set<number>();
  for (const { status } of nodes) {
    for (const { address } of status.addresses) {
      // Left out: names of hosts, and IPv6, which is closed as a whole.
      if (isIPv4(address) && !isClosed(toNumber(address))) addresses.add(toNumber(address));
    }
  }
  for (let bits = 32; ; bits -= 4) {
    const networks = new Set([...addresses].map((address) => widen(address, bits)));
    // At 8 bits there are no more than 256.
    if (networks.size > NODE_NETWORKS_LIMIT) continue;
    return [...denied, ...[...networks].sort((a, b) => a - b).map((base) => text({ base, bits }))];
  }
}

/** IPv4 resolvers of a resolv.conf that Pods can reach. */
export function dnsServers(resolvConf: string): readonly string[] {
  const servers = resolvConf.split('\n').map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '');
  return servers.filter((address) => isIPv4(address) && !address.startsWith('127.'));
}
