import { BlockList, isIPv4, isIPv6 } from 'node:net';

/*
 * Which IP addresses belong to the public internet. All others are a machine's own, its network's, its cluster's, or
 * nobody's. IANA's special-purpose registries:
 * https://www.iana.org/assignments/iana-ipv4-special-registry https://www.iana.org/assignments/iana-ipv6-special-registry
 */

const NOT_PUBLIC_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];
/** Within 2000::/3, which holds all that is public. 2001::/23 includes Teredo; 2002::/16 carries IPv4 addresses. */
const NOT_PUBLIC_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** Networks, as `ADDRESS/LENGTH` or as one address. What is neither is left out. */
export function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', length] = cidr.split('/');
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
    const bits = Number(length ?? (family === 'ipv4' ? 32 : 128));
    if (family === undefined || !Number.isInteger(bits) || bits < 0 || bits > (family === 'ipv4' ? 32 : 128)) continue;
    list.addSubnet(address, bits, family);
  }
  return list;
}

const notPublicV4 = networks(NOT_PUBLIC_V4);
const notPublicV6 = networks(NOT_PUBLIC_V6);
const globalV6 = networks(['2000::/3']);

/** False also for text that is no address. An IPv4 address within an IPv6 one is not public in that form. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !notPublicV4.check(address, 'ipv4');
  // A zone (`fe80::1%eth0`) says that the address is local.
  if (!isIPv6(address) || address.includes('%')) return false;
  return globalV6.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
}

/** Whether an address, IPv4 in IPv6 included, lies in one of these networks. */
export function liesIn(list: BlockList, address: string): boolean {
  if (isIPv4(address)) return list.check(address, 'ipv4');
  return isIPv6(address) && list.check(address, 'ipv6');
}
