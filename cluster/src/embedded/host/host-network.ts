import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { command, tryCommand } from '@delos/host';
import { z } from 'zod';
import type { Addresses } from './addresses.ts';

const routes = z.array(z.object({ dst: z.string(), dev: z.string().optional(), type: z.string().optional() }));
const links = z.array(
  z.object({
    ifname: z.string(),
    mtu: z.number(),
    addr_info: z.array(z.object({ family: z.string(), local: z.string(), prefixlen: z.number() })).default([]),
  }),
);

const peers = z.array(z.object({ link_index: z.number() }));

export interface Link {
  readonly name: string;
  readonly mtu: number;
  /** Says whose it is: `delos STATE`. */
  readonly alias: string | undefined;
  readonly addresses: readonly string[];
}

export async function listLinks(): Promise<readonly Link[]> {
  const parsed = links.parse(JSON.parse(await command('ip', ['-j', 'address', 'show'])));
  return parsed.map((link) => ({
    name: link.ifname,
    mtu: link.mtu,
    alias: tryAlias(link.ifname),
    addresses: link.addr_info
      .filter((address) => address.family === 'inet')
      .map((address) => `${address.local}/${address.prefixlen}`),
  }));
}

/** `ip` leaves it out of its JSON. */
function tryAlias(name: string): string | undefined {
  try {
    return readFileSync(`/sys/class/net/${name}/ifalias`, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

export async function listRoutes(): Promise<readonly { readonly network: string; readonly dev: string | undefined }[]> {
  const parsed = routes.parse(JSON.parse(await command('ip', ['-j', '-4', 'route', 'show', 'table', 'all'])));
  return parsed
    .filter((route) => route.dst !== 'default' && route.type !== 'broadcast' && route.type !== 'local')
    .map((route) => ({ network: route.dst, dev: route.dev }));
}

/** Largest packet that leaves the machine without being cut; 1500 where it has no way out. */
export async function outsideMtu(): Promise<number> {
  const parsed = routes.parse(JSON.parse(await command('ip', ['-j', '-4', 'route', 'show', 'default'])));
  const device = parsed[0]?.dev;
  return (await listLinks()).find((link) => link.name === device)?.mtu ?? 1500;
}

export function aliasOf(state: string): string {
  return `delos ${state}`.slice(0, 255);
}

export function hasLink(addresses: Addresses): boolean {
  return existsSync(`/sys/class/net/${addresses.link}`);
}

/** Whether the machine's end leads to the namespace of `pid`, and not to one that is about to vanish. */
async function leadsTo(addresses: Addresses, pid: number): Promise<boolean> {
  const inside = await tryCommand('nsenter', ['--net', '--target', String(pid), 'ip', '-j', 'link', 'show', 'eth0']);
  const peer = peers.safeParse(inside.code === 0 ? JSON.parse(inside.stdout) : undefined).data?.[0];
  return (
    peer !== undefined &&
    readFileSync(`/sys/class/net/${addresses.link}/ifindex`, 'utf8').trim() === `${peer.link_index}`
  );
}

/** Joins the namespaces of `pid` to the machine. Does what is missing. */
export async function ensureLink(addresses: Addresses, pid: number, mtu: number, state: string): Promise<void> {
  if (hasLink(addresses) && !(await leadsTo(addresses, pid))) await removeLink(addresses.link);
  if (!hasLink(addresses)) {
    await command('ip', [
      ...['link', 'add', addresses.link, 'mtu', String(mtu), 'type', 'veth'],
      ...['peer', 'name', 'eth0', 'mtu', String(mtu), 'netns', String(pid)],
    ]);
  }
  await command('ip', ['link', 'set', addresses.link, 'alias', aliasOf(state), 'up']);
  // The node has IPv4 alone. Without this, both ends would make themselves link-local IPv6 addresses, past the table.
  const ipv6 = `/proc/sys/net/ipv6/conf/${addresses.link}/disable_ipv6`;
  if (existsSync(ipv6)) writeFileSync(ipv6, '1');
  await command('ip', ['address', 'replace', `${addresses.hostIp}/30`, 'dev', addresses.link]);
  await ensureRoute(addresses);
}

/** The way back to Pods, which leave the node under this address (see renderTable). */
export async function ensureRoute({ podGateway, nodeIp, link }: Addresses): Promise<void> {
  await command('ip', ['route', 'replace', `${podGateway}/32`, 'via', nodeIp, 'dev', link]);
}

/** Gives the node its address; the pair may have been made again under a node that runs. */
export async function ensureNodeEnd(addresses: Addresses, pid: number): Promise<void> {
  const inside = (args: readonly string[]) => command('nsenter', ['--net', '--target', String(pid), 'ip', ...args]);
  await inside(['address', 'replace', `${addresses.nodeIp}/30`, 'dev', 'eth0']);
  await inside(['link', 'set', 'eth0', 'up']);
  await inside(['route', 'replace', 'default', 'via', addresses.hostIp]);
}

export async function removeLink(name: string): Promise<void> {
  await tryCommand('ip', ['link', 'delete', name]);
}

/**
 * The instance's one table. The node and its Pods go out under the machine's address, and nothing comes in by itself.
 *
 * Pods do not reach the machine itself, whatever addresses it has and gets: the kernel is asked at each connection
 * which addresses are its own. That is before any translation of addresses, so that a port which Docker publishes on
 * the machine is closed as well. The node (`nodeIp`) does reach the machine, since a proxy for image pulls may run
 * there. The two can be told apart because the node gives its Pods' packets the address `podGateway` (node-init.sh).
 *
 * @param resolvers what cluster DNS forwards to: the machine may be one of them
 */
export function renderTable(addresses: Addresses, resolvers: readonly string[]): string {
  const { table, link, linkCidr, nodeIp, podGateway, podCidr, serviceCidr } = addresses;
  const dns = resolvers.filter((address) => isIPv4(address));
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain prerouting {
    type filter hook prerouting priority -150; policy accept;
    iifname != "${link}" accept
    ct direction reply accept
    ip saddr ${nodeIp} accept
    fib daddr type != { local, broadcast, multicast, anycast } accept
${dns.map((address) => `    ip daddr ${address} meta l4proto { tcp, udp } th dport 53 accept\n`).join('')}\
    counter reject with icmp admin-prohibited
  }
  chain postrouting {
    type nat hook postrouting priority 101; policy accept;
    ip saddr { ${linkCidr}, ${podGateway} } oifname != "${link}" masquerade
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    oifname "${link}" ct state established,related accept
    oifname "${link}" drop
    iifname "${link}" ip saddr != { ${linkCidr}, ${podGateway} } drop
    iifname "${link}" ip daddr { ${podCidr}, ${serviceCidr} } reject
  }
}
`;
}

export async function ensureTable(addresses: Addresses, resolvers: readonly string[]): Promise<void> {
  await command('nft', ['-f', '-'], { input: renderTable(addresses, resolvers) });
}

export async function hasTable(name: string): Promise<boolean> {
  return (await tryCommand('nft', ['list', 'table', 'ip', name])).code === 0;
}

export async function removeTable(name: string): Promise<void> {
  await tryCommand('nft', ['delete', 'table', 'ip', name]);
}
