import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { dnsSubdomain, email, serverPort } from '../config-fields.ts';
import { isLoopback } from '../loopback.ts';
import type { RuleFault } from './rule-fault.ts';
import { secretReference } from './secret-reference.ts';

const address = z
  .string()
  .refine((text) => isIPv4(text) || isIPv6(text), 'expected an IP address such as 203.0.113.10');

const name = dnsSubdomain.refine((text) => text.includes('.'), 'expected a whole name, such as ns1.example.com');

/** Of `tsig-keygen` and its like: RFC 8945, 6. */
export const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;

/** A server that takes signed updates (RFC 2136, RFC 8945). */
export const dnsServer = z.strictObject({
  server: z
    .string()
    .min(1)
    .max(253)
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.:-]*[a-zA-Z0-9])?$/, 'expected a host name or an address')
    .describe('Host name or address of the server that takes updates of the zone'),
  port: serverPort.default(53).describe('Its port, by TCP'),
  zone: dnsSubdomain.describe('The zone there that the platform’s names are in'),
  key: z
    .strictObject({
      name: dnsSubdomain.describe('Its name, as the server has it'),
      algorithm: z.enum(TSIG_ALGORITHMS).default('hmac-sha256').describe('Its algorithm'),
      secret: secretReference.describe('Where the key is, base64'),
    })
    .describe('The TSIG key that signs updates'),
});
/** A server that takes signed updates. */
export type DnsServer = z.infer<typeof dnsServer>;

/** How the platform's names come to lead to it. */
export const dns = z.strictObject({
  addresses: z
    .array(address)
    .max(20)
    .default([])
    .describe('IP addresses that the platform’s names lead to; left out: what the gateway’s Service shows'),
  ttlSeconds: z
    .number()
    .int()
    .min(30)
    .max(86_400)
    .default(300)
    .describe('How long resolvers may keep a record, in seconds'),
  nameServers: z
    .array(name)
    .max(13)
    .default([])
    .describe('Names of the servers of the zone that `services.dns` serves; left out: ns1 below the domain'),
  contact: email.optional().describe('Whom to write to about that zone; left out: hostmaster at the domain'),
  externalDns: z
    .boolean()
    .default(false)
    .describe('The gateway’s Service carries the names as annotations, for the external-dns of your cluster'),
  update: dnsServer.optional().describe('A server that `delos up` writes the records to'),
});
/** How the platform's names come to lead to it. */
export type DnsSection = z.infer<typeof dns>;

/** What must hold between the fields of `dns`, and with the domain. */
export function dnsFaults(dns: DnsSection, domain: string): readonly RuleFault[] {
  const asked = [
    ...(dns.externalDns ? ['externalDns'] : []),
    ...(dns.update === undefined ? [] : ['update']),
    ...(dns.nameServers.length === 0 ? [] : ['nameServers']),
  ];
  const [first] = asked;
  if (first !== undefined && (isLoopback(domain) || isIPv4(domain))) {
    return [{ path: ['dns', first], message: `\`${domain}\` has no records: set \`domain\` to a name` }];
  }
  const { update } = dns;
  if (update === undefined || domain === update.zone || domain.endsWith(`.${update.zone}`)) return [];
  return [{ path: ['dns', 'update', 'zone'], message: `\`${domain}\` is not in the zone \`${update.zone}\`` }];
}

/** What a certificate by ACME needs. */
export function acmeFaults(
  tls: { readonly acme?: unknown; readonly given?: unknown } | undefined,
  { update }: DnsSection,
  domain: string,
): readonly RuleFault[] {
  if (tls?.acme === undefined) return [];
  const fault = (message: string): readonly RuleFault[] => [{ path: ['gateway', 'tls', 'acme'], message }];
  if (tls.given !== undefined) return fault('there is a certificate that is given: expected one of `given` and `acme`');
  if (isLoopback(domain) || isIPv4(domain))
    return fault(`no server gives a certificate for \`${domain}\`: set \`domain\``);
  return update === undefined ? fault('it needs `dns.update`: the server looks for records there') : [];
}
