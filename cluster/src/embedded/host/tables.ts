import { isIPv4 } from 'node:net';
import { command, tryCommand } from '@delos/host';
import type { Addresses } from './addresses.ts';
import { intoNetwork } from './host-network.ts';

/*
 * The instance's one table on the machine, and the one in each node. Packets of Pods to Pods of other nodes keep their
 * addresses, so that network policies see who is who; all others leave a node under the node's `podGateway`.
 */

/** As nft takes it where one value or several may be: `a`, or `{ a, b }`. */
const oneOf = (values: readonly string[]): string =>
  values.length === 1 ? (values[0] ?? '') : `{ ${values.join(', ')} }`;
const quoted = (name: string): string => `"${name}"`;
const chain = (name: string, rules: readonly string[]): string =>
  [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');

/**
 * Nodes and their Pods go out under the machine's address, and nothing comes in by itself. The machine passes packets on
 * between nodes of the instance, and does not speak to their Pods itself.
 *
 * Pods do not reach the machine itself, whatever addresses it has and gets: the kernel is asked at each connection
 * which addresses are its own. That is before any translation of addresses, so that a port which Docker publishes on
 * the machine is closed as well. A node (`nodeIp`) does reach the machine, since a proxy for image pulls may run
 * there. The two can be told apart because the node gives its Pods' packets the address `podGateway` (renderNodeTable).
 *
 * @param nodes of the instance @param resolvers what cluster DNS forwards to: the machine may be one of them
 * @param cut indexes of nodes that shall reach nothing, and be reached by nothing
 */
export function renderTable(
  nodes: readonly Addresses[],
  resolvers: readonly string[],
  cut: readonly number[] = [],
): string {
  const { table = '', serviceCidr = '' } = nodes[0] ?? {};
  const links = oneOf(nodes.map(({ link }) => quoted(link)));
  const podCidrs = nodes.map(({ podCidr }) => podCidr);
  const dns = resolvers.filter((address) => isIPv4(address));
  const several = nodes.length > 1;
  const off = nodes.filter(({ index }) => cut.includes(index)).map(({ link }) => quoted(link));
  const chains = [
    ...(off.length === 0
      ? []
      : [
          chain('cut_in', [hook('prerouting', -300), `iifname ${oneOf(off)} counter drop`]),
          chain('cut_out', [hook('postrouting', -300), `oifname ${oneOf(off)} counter drop`]),
        ]),
    chain('prerouting', [
      hook('prerouting', -150),
      `iifname != ${links} accept`,
      'ct direction reply accept',
      ...nodes.map(({ link, nodeIp }) => `iifname ${quoted(link)} ip saddr ${nodeIp} accept`),
      'fib daddr type != { local, broadcast, multicast, anycast } accept',
      ...dns.map((address) => `ip daddr ${address} meta l4proto { tcp, udp } th dport 53 accept`),
      'counter reject with icmp admin-prohibited',
    ]),
    chain('postrouting', [
      'type nat hook postrouting priority 101; policy accept;',
      `ip saddr { ${nodes.flatMap(({ linkCidr, podGateway }) => [linkCidr, podGateway]).join(', ')} } oifname != ${links} masquerade`,
    ]),
    chain('forward', [
      hook('forward', 0),
      ...(several
        ? nodes.map(
            ({ link, linkCidr, podCidr }) =>
              `iifname ${quoted(link)} oifname ${links} ip saddr { ${linkCidr}, ${podCidr} } accept`,
          )
        : []),
      `oifname ${links} ct state established,related accept`,
      `oifname ${links} drop`,
      ...nodes.map(
        ({ link, linkCidr, podGateway }) => `iifname ${quoted(link)} ip saddr != { ${linkCidr}, ${podGateway} } drop`,
      ),
      // Of a node that is down as well: its Pods' addresses lead nowhere else.
      `iifname ${links} ip daddr { ${[...podCidrs, serviceCidr].join(', ')} } reject`,
    ]),
    ...(several
      ? [
          chain('output', [
            hook('output', 0),
            'ct direction reply accept',
            `ip daddr { ${podCidrs.join(', ')} } reject`,
          ]),
        ]
      : []),
  ];
  return `table ip ${table}\ndelete table ip ${table}\ntable ip ${table} {\n${chains.join('\n')}\n}\n`;
}

const hook = (at: string, priority: number): string => `type filter hook ${at} priority ${priority}; policy accept;`;

/** @param others further nodes of the instance */
export function renderNodeTable({ podCidr, podGateway }: Addresses, others: readonly Addresses[]): string {
  const rules = [
    'type nat hook postrouting priority 101; policy accept;',
    ...(others.length === 0
      ? []
      : [`ip saddr ${podCidr} ip daddr { ${others.map((each) => each.podCidr).join(', ')} } accept`]),
    // The machine tells Pods from the node itself by this address.
    `ip saddr ${podCidr} oifname "eth0" snat to ${podGateway}`,
  ];
  return `table ip delos_node\ndelete table ip delos_node\ntable ip delos_node {\n${chain('postrouting', rules)}\n}\n`;
}

export async function ensureTable(
  nodes: readonly Addresses[],
  resolvers: readonly string[],
  cut: readonly number[],
): Promise<void> {
  await command('nft', ['-f', '-'], { input: renderTable(nodes, resolvers, cut) });
}

/** Writes the table of a node. Call it before the node has a way out. */
export async function ensureNodeTable(pid: number, own: Addresses, nodes: readonly Addresses[]): Promise<void> {
  const others = nodes.filter(({ index }) => index !== own.index);
  await command('nsenter', [...intoNetwork(pid), 'nft', '-f', '-'], { input: renderNodeTable(own, others) });
}

export async function hasTable(name: string): Promise<boolean> {
  return (await tryCommand('nft', ['list', 'table', 'ip', name])).code === 0;
}

export async function removeTable(name: string): Promise<void> {
  await tryCommand('nft', ['delete', 'table', 'ip', name]);
}
