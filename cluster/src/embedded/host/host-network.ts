import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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
  const inside = await tryCommand('nsenter', [...intoNetwork(pid), 'ip', '-j', 'link', 'show', 'eth0']);
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
}

/**
 * The way back to Pods, which leave the node under one address (see renderTable); where there are several nodes, the way to
 * each Pod.
 */
export async function ensureRoutes({ podGateway, podCidr, nodeIp, link }: Addresses, several: boolean): Promise<void> {
  const to = (network: string) => command('ip', ['route', 'replace', network, 'via', nodeIp, 'dev', link]);
  await to(`${podGateway}/32`);
  if (several) await to(podCidr);
  else await tryCommand('ip', ['route', 'delete', podCidr, 'dev', link]);
}

/** Gives the node its address; the pair may have been made again under a node that runs. */
export async function ensureNodeEnd(addresses: Addresses, pid: number): Promise<void> {
  const inside = (args: readonly string[]) => command('nsenter', [...intoNetwork(pid), 'ip', ...args]);
  await inside(['address', 'replace', `${addresses.nodeIp}/30`, 'dev', 'eth0']);
  await inside(['link', 'set', 'eth0', 'up']);
  await inside(['route', 'replace', 'default', 'via', addresses.hostIp]);
}

/** Of nsenter: the network namespace of a process. */
export const intoNetwork = (pid: number): readonly string[] => ['--net', '--target', String(pid)];

export async function removeLink(name: string): Promise<void> {
  await tryCommand('ip', ['link', 'delete', name]);
}
