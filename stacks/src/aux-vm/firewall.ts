import { isIP } from 'node:net';
import type { PartProps } from '../machine/part.ts';
import { tableCheck, tableNote } from '../machine/script.ts';
import type { AuxVmConfig } from './config.ts';

const FILE = '/etc/delos-aux/firewall/rules.nft';
const TABLE = 'inet delos_aux';
const UNIT = 'delos-firewall.service';

/**
 * It lets in ssh, the services and what the file names, and drops the rest. It is a table of our own. Other tables stay, and what
 * they drop stays dropped.
 */
export function firewallPart(config: AuxVmConfig): PartProps {
  return {
    name: 'firewall',
    needs: [{ command: 'nft', package: 'nftables' }],
    files: { [FILE]: { mode: 0o644, content: { text: rules(config) } } },
    units: [
      {
        name: UNIT,
        reads: [FILE],
        guards: TABLE,
        check: tableCheck(TABLE, UNIT),
        text: [
          '[Unit]',
          'Description=Delos: firewall',
          'DefaultDependencies=no',
          'After=local-fs.target nftables.service',
          'Before=network-pre.target shutdown.target',
          'Wants=network-pre.target',
          'Conflicts=shutdown.target',
          '',
          '[Service]',
          'Type=oneshot',
          'RemainAfterExit=yes',
          `ExecStart=/usr/sbin/nft -f ${FILE}`,
          `ExecStart=${tableNote(TABLE, UNIT)}`,
          // In one transaction: there is no moment without rules.
          `ExecReload=/usr/sbin/nft -f ${FILE}`,
          `ExecReload=${tableNote(TABLE, UNIT)}`,
          `ExecStop=/usr/sbin/nft delete table ${TABLE}`,
          'ProtectHome=yes',
          'ProtectSystem=full',
          'NoNewPrivileges=yes',
          'CapabilityBoundingSet=CAP_NET_ADMIN',
          'MemoryMax=128M',
          '',
          '[Install]',
          'WantedBy=sysinit.target',
          '',
        ].join('\n'),
      },
    ],
  };
}

function rules({ ssh, firewall, dns }: AuxVmConfig): string {
  const always = [...new Set([22, ssh?.port ?? 22, ...firewall.open])].toSorted((a, b) => a - b);
  const services = ['tcp dport 443 accept', ...(dns.enabled ? ['tcp dport 53 accept', 'udp dport 53 accept'] : [])];
  const four = firewall.from.filter((network) => isIP(network.split('/')[0] ?? '') === 4);
  const six = firewall.from.filter((network) => isIP(network.split('/')[0] ?? '') === 6);
  const froms =
    firewall.from.length === 0
      ? ['']
      : [
          ...(four.length === 0 ? [] : [`ip saddr { ${four.join(', ')} } `]),
          ...(six.length === 0 ? [] : [`ip6 saddr { ${six.join(', ')} } `]),
        ];
  const lines = [
    'type filter hook input priority filter; policy drop;',
    'ct state established,related accept',
    'ct state invalid drop',
    'iif "lo" accept',
    // ICMP and ICMPv6: a small Debian has no /etc/protocols to know them by name.
    'meta l4proto { 1, 58 } accept',
    `tcp dport { ${always.join(', ')} } accept`,
    ...froms.flatMap((from) => services.map((service) => `${from}${service}`)),
  ];
  return `table ${TABLE}\ndelete table ${TABLE}\ntable ${TABLE} {\n\tchain input {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n}\n`;
}
