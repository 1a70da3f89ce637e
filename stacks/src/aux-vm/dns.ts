import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { PartProps } from '../machine/part.ts';
import type { AuxVmConfig } from './config.ts';
import type { Programs } from './programs.ts';
import { serviceUnit } from './unit.ts';

const ETC = '/etc/delos-aux/dns';
const OPT = '/opt/delos-aux/dns';
const TTL_SECONDS = 300;

interface Zone {
  readonly name: string;
  readonly address: string;
  readonly records: Readonly<Record<string, string>>;
}

/** The name server: the machine's own zone and those that were given, each with every name below it. */
export function dnsPart({ domain, address, dns }: AuxVmConfig, programs: Programs): PartProps {
  const listen = dns.listen ?? address;
  const zones: readonly Zone[] = [{ name: domain, address, records: {} }, ...dns.zones];
  const files = Object.fromEntries(
    zones.map((zone): [string, PartProps['files'][string]] => [
      `${ETC}/${zone.name}.zone`,
      { mode: 0o644, content: { text: zoneFile(zone, domain, address) } },
    ]),
  );
  const program = `${OPT}/coredns`;
  const corefile = `${ETC}/Corefile`;
  return {
    name: 'dns',
    files: {
      [program]: programs.file('coredns'),
      ...files,
      [corefile]: { mode: 0o644, content: { text: settings(zones, listen, dns.forward) } },
    },
    units: [
      serviceUnit({
        name: 'delos-dns',
        idea: 'Delos: name server',
        exec: `${program} -conf ${corefile}`,
        host: listen,
        port: 53,
        low: true,
        reads: [program, corefile, ...Object.keys(files)],
        memory: '128M',
      }),
    ],
  };
}

const settings = (zones: readonly Zone[], listen: string, forward: readonly string[]): string =>
  [
    ...zones.map(
      ({ name }) => `${name}:53 {
    bind ${listen}
    errors
    bufsize 1232
    any
    file ${ETC}/${name}.zone {
        reload 0
    }
}`,
    ),
    ...(forward.length === 0
      ? []
      : [
          `.:53 {
    bind ${listen}
    errors
    bufsize 1232
    cache 300
    forward . ${forward.join(' ')} {
        max_concurrent 500
    }
}`,
        ]),
    '',
  ].join('\n');

/** A zone (RFC 1035, 5). Its serial follows from its content, for the same content is the same zone. */
function zoneFile({ name, address, records }: Zone, domain: string, server: string): string {
  const lines = [
    ...(name === domain ? [`ns1 IN ${kind(server)} ${server}`] : []),
    `@ IN ${kind(address)} ${address}`,
    `* IN ${kind(address)} ${address}`,
    // A name that is there hides what a wildcard above it says of names below it (RFC 4592, 2.2).
    ...Object.entries(records).map(([label, to]) => `${label} IN ${kind(to)} ${to}`),
  ];
  const serial = createHash('sha256').update(lines.join('\n')).digest().readUInt32BE(0);
  return [
    `$ORIGIN ${name}.`,
    `$TTL ${TTL_SECONDS}`,
    `@ IN SOA ns1.${domain}. hostmaster.${domain}. ${serial} 7200 900 1209600 60`,
    `@ IN NS ns1.${domain}.`,
    ...lines,
    '',
  ].join('\n');
}

const kind = (address: string): string => (isIP(address) === 6 ? 'AAAA' : 'A');
