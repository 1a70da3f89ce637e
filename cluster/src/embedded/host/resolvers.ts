import { readFileSync } from 'node:fs';

/** systemd-resolved keeps the servers that its stub asks here. */
const BEHIND_STUB = '/run/systemd/resolve/resolv.conf';

export function parseResolvers(text: string): string[] {
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1])
    .filter((address) => address !== undefined);
}

const isLoopback = (address: string) => address.startsWith('127.') || address === '::1';
const isIpv4 = (address: string) => /^\d+(\.\d+){3}$/.test(address);

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export interface Resolvers {
  /** What the node asks. */
  readonly node: readonly string[];
  /** Set when the machine asks a resolver on its own loopback: `host` then relays queries to it. */
  readonly relayTo: string | undefined;
}

/**
 * Resolvers that the node can reach. A loopback resolver of the machine is none: behind systemd's stub are the real
 * ones; any other is reached through a relay on the machine's end of the veth pair.
 */
export function findResolvers(hostIp: string, read: (path: string) => string = tryRead): Resolvers {
  const all = parseResolvers(read('/etc/resolv.conf')).filter(isIpv4);
  const direct = all.filter((address) => !isLoopback(address));
  if (direct.length > 0) return { node: direct.slice(0, 3), relayTo: undefined };
  const behind = parseResolvers(read(BEHIND_STUB)).filter((address) => isIpv4(address) && !isLoopback(address));
  if (behind.length > 0) return { node: behind.slice(0, 3), relayTo: undefined };
  const loopback = all[0];
  return loopback === undefined ? { node: [], relayTo: undefined } : { node: [hostIp], relayTo: loopback };
}
