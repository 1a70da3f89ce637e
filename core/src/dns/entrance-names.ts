import { isIPv4, isIPv6 } from 'node:net';
import type { DnsSection } from '../config/dns.ts';
import { isLoopback } from '../loopback.ts';

/** Names of jobs, of apps and of whatever else is below a domain. */
export const namesBelow = (domain: string): readonly string[] => [
  `*.${domain}`,
  `*.jobs.${domain}`,
  `*.apps.${domain}`,
];

/**
 * All names that lead to the platform: its own, one level below it, and those of jobs and apps. A `*` stands for any label, in
 * DNS (RFC 4592) as in certificates (RFC 6125, 6.4.3). None for a platform without a name.
 */
export const entranceNames = (domain: string): readonly string[] =>
  isLoopback(domain) || isIPv4(domain) || isIPv6(domain) ? [] : [domain, ...namesBelow(domain)];

/** One record of the platform's names. */
export interface EntranceRecord {
  /** Without a dot at its end. */
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  readonly ttlSeconds: number;
  /** An IP address. */
  readonly value: string;
}

/** The records that lead each name to each address. */
export function entranceRecords(
  domain: string,
  { ttlSeconds }: Pick<DnsSection, 'ttlSeconds'>,
  addresses: readonly string[],
): readonly EntranceRecord[] {
  return entranceNames(domain).flatMap((name) =>
    addresses.map((value) => ({ name, type: isIPv4(value) ? ('A' as const) : ('AAAA' as const), ttlSeconds, value })),
  );
}

/** Lines of a zone file (RFC 1035, 5.1). */
export const recordLines = (records: readonly EntranceRecord[]): string =>
  records.map(({ name, type, ttlSeconds, value }) => `${name}. ${ttlSeconds} IN ${type} ${value}\n`).join('');
