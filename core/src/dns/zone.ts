import type { DnsSection } from '../config/dns.ts';
import { entranceRecords, recordLines } from './entrance-names.ts';

/** So long resolvers remember that there is no such name (RFC 2308, 5), in seconds. */
const NEGATIVE_TTL = 60;
/** Of a zone that nobody transfers: no server compares it. */
const SERIAL = 1;
/** Seconds of RFC 1035, 3.3.13, for secondaries: there are none. */
const TIMES = { refresh: 86_400, retry: 7_200, expire: 3_600_000 };

/**
 * The whole zone of a domain as a zone file (RFC 1035, 5): who serves it, and the names of the entrance.
 * @param addresses that the names, and name servers below the domain, lead to
 */
export function zoneText(domain: string, dns: DnsSection, addresses: readonly string[]): string {
  const { ttlSeconds } = dns;
  const servers = dns.nameServers.length > 0 ? dns.nameServers : [`ns1.${domain}`];
  // The @ of an address is a dot there, and a dot before it is escaped (RFC 1035, 8).
  const [box = 'hostmaster', host = domain] = (dns.contact ?? `hostmaster@${domain}`).split('@');
  const contact = `${box.replaceAll('.', '\\.')}.${host}.`;
  const [first = ''] = servers;
  const { refresh, retry, expire } = TIMES;
  // Without it nobody would find a server of the zone within the zone.
  const glue = servers
    .filter((name) => name.endsWith(`.${domain}`))
    .flatMap((name) =>
      entranceRecords(domain, dns, addresses)
        .filter((record) => record.name === domain)
        .map((record) => ({ ...record, name })),
    );
  return [
    `${domain}. ${ttlSeconds} IN SOA ${first}. ${contact} ${SERIAL} ${refresh} ${retry} ${expire} ${NEGATIVE_TTL}\n`,
    ...servers.map((name) => `${domain}. ${ttlSeconds} IN NS ${name}.\n`),
    recordLines(glue),
    recordLines(entranceRecords(domain, dns, addresses)),
  ].join('');
}
