import { isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { NANO_PER_UNIT, parseQuantity, quantityOf, wholeMilli, wholeUnits } from './quantity.ts';

/*
 * The fields of delos.yaml by themselves. Each is as strict as the strictest system that its value goes to: Kubernetes,
 * Keycloak, PostgreSQL, TLS. A value that one of these would refuse later is refused here, at its place in the file.
 */

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const dnsLabel = z
  .string()
  .regex(
    DNS_LABEL,
    'expected at most 63 lower-case letters, digits and hyphens, no hyphen first or last (RFC 1123 label)',
  );

/** A name of a Kubernetes object that may have dots. */
export const dnsSubdomain = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'expected lower-case letters, digits, hyphens and dots (RFC 1123 subdomain)',
  );

/** Text for people. PostgreSQL keeps no character 0, and a terminal should be sent no other control character either. */
export const plainText = z
  .string()
  .min(1)
  .max(253)
  .regex(/^\P{Cc}*$/u, 'expected text without control characters');

/** Keycloak takes names of three characters and more; the name is also the mail box of the default address (at most 64). */
export const userName = z
  .string()
  .min(3)
  .max(63)
  .regex(/^[a-z][a-z0-9-]*$/, 'expected lower-case letters, digits and hyphens, a letter first')
  .regex(
    /^(?!service-account-)/,
    'expected another beginning: Keycloak names the accounts of services `service-account-…`',
  );

/** Keycloak keeps addresses in lower case and compares them so. */
export const email = z
  .email({ abort: true })
  .max(254)
  .toLowerCase()
  .refine((address) => {
    const [box = '', host = ''] = address.split('@');
    return box.length <= 64 && host.split('.').every((label) => DNS_LABEL.test(label));
  }, 'expected at most 64 characters before the @ and a host name after it');

const HOST_EXPECTED = 'expected a host name such as ai.example.com, without https:// and port';

/** A host name is one whatever its case: it is kept in lower case. */
export const domain = z
  .string()
  .toLowerCase()
  .superRefine((host, context) => {
    const fault =
      hostFault(host) ?? (/(^|\.)cluster\.local$/.test(host) ? 'that domain is the cluster’s own' : undefined);
    if (fault !== undefined)
      context.addIssue({ code: 'custom', message: `${HOST_EXPECTED}, found "${host}": ${fault}` });
  });

/** A host that services dial: a name, inside the cluster or outside, or an IPv4 address. */
export const host = z
  .string()
  .toLowerCase()
  .superRefine((name, context) => {
    const fault = hostFault(name);
    const expected = `expected a host name such as db.example.com, or an IPv4 address, found "${name}"`;
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `${expected}: ${fault}` });
  });

/** An IP address, or a range of them. NetworkPolicies name these, and no host names. */
export const addressRange = z
  .string()
  .refine(
    (text) => [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()].some((schema) => schema.safeParse(text).success),
    'expected an IP address such as 10.20.0.5, or a range such as 10.20.0.0/24',
  );

/** Why a text is neither a host name nor an IPv4 address, if it is not. */
function hostFault(host: string): string | undefined {
  if (host === '') return 'it is empty';
  if (host.includes('/')) return 'leave out the scheme and the path';
  if (host.includes('*')) return 'one host is meant, not all of a domain';
  if (isAddress(host)) return ipv4Fault(host);
  if (host.includes(':')) return 'the port is `gateway.httpsPort`; an IPv6 address needs a name';
  if (host.endsWith('.')) return 'leave out the dot at the end';
  if (/\P{ASCII}/u.test(host)) {
    const ascii = domainToASCII(host);
    return ascii === '' ? 'it has characters that no host name has' : `write it as ${ascii}`;
  }
  if (host.length > 253) return `it has ${host.length} characters, and 253 are the most`;
  const bad = host.split('.').find((label) => !DNS_LABEL.test(label));
  if (bad !== undefined) {
    return bad.length > 63
      ? `"${bad.slice(0, 12)}…" has ${bad.length} characters, and 63 between two dots are the most`
      : `"${bad}" is not made of letters, digits and hyphens, with no hyphen first or last`;
  }
  return undefined;
}

/** URLs take a host whose last part is a number for an IPv4 address (WHATWG URL, "ends in a number"). */
const isAddress = (host: string): boolean => /(^|\.)(\d+|0x[0-9a-f]*)$/.test(host);

function ipv4Fault(host: string): string | undefined {
  if (!isIPv4(host)) return 'its last part is a number, so it would be an IPv4 address, and it is none';
  const [first = 0] = host.split('.').map(Number);
  return first === 0 || first >= 224 ? 'no machine has that address' : undefined;
}

/** `host[:port][/path]`, as image references begin. Without a dot or a port, a host would be a folder of Docker Hub. */
export const registry = z
  .string()
  .max(200)
  .regex(/^[a-zA-Z0-9.-]+(:\d{1,5})?(\/[a-z0-9._-]+)*$/, 'expected host[:port][/path] of a registry, without https://')
  .transform((text, context) => {
    const [authority = '', ...path] = text.split('/');
    const [host = '', port] = authority.toLowerCase().split(':');
    const fault =
      hostFault(host) ??
      (port !== undefined && (Number(port) < 1 || Number(port) > 65535) ? 'a port is 1–65535' : undefined) ??
      (port === undefined && host !== 'localhost' && !host.includes('.')
        ? 'a host without a dot needs its port (`registry:5000`): image references take it for a folder of Docker Hub'
        : undefined) ??
      (path.every((part) => /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/.test(part))
        ? undefined
        : 'between two slashes there are lower-case letters and digits, with single dots, hyphens or underscores inside');
    if (fault === undefined) return [authority.toLowerCase(), ...path].join('/');
    context.addIssue({
      code: 'custom',
      message: `expected host[:port][/path] of a registry, found "${text}": ${fault}`,
    });
    return z.NEVER;
  });

/** A port that a server listens on. */
export const serverPort = z.number().int().min(1).max(65535);

/** 0: one that is free. */
export const port = z.number().int().min(0).max(65535);

/** What Kubernetes counts in 32 bits: replicas, nodes. */
export const count = z
  .number()
  .int()
  .nonnegative()
  .max(2 ** 31 - 1);

const MIB = 2 ** 20;
/** More than any machine has, and every number of bytes up to it is exact. */
const MOST_OF_A_NODE = 4 * 2 ** 50;
const MOST_OF_ALL = 4 * 2 ** 60;
const MOST_CORES_OF_A_NODE = 2_000_000;
const MOST_CORES_OF_ALL = 2_000_000_000;

/** Bytes of a node or a job. Less than a MiB is a forgotten suffix: nothing runs in it. */
export const size = bytesOf(MIB, MOST_OF_A_NODE);
/** Bytes of many jobs together; 0 is none. */
export const bytes = bytesOf(0, MOST_OF_ALL);
/** A chunk of a log can be 4 MiB, and half of the limit is for the log's end. */
export const SMALLEST_LOG_LIMIT = 8 * 2 ** 20;
/** What may be kept of logs. */
export const logLimit = bytes.refine((size) => size >= SMALLEST_LOG_LIMIT, 'expected 8Mi or more');
/** So long a log is kept; 0: as long as there is room. */
export const keepDays = z.number().int().nonnegative().max(36_500);

/** Cores of a node or a job. */
export const cores = coresOf(0.001, MOST_CORES_OF_A_NODE);
/** Cores of many jobs together; 0 is none. */
export const coresTogether = coresOf(0, MOST_CORES_OF_ALL);

/** A Kubernetes quantity of bytes; a number is bytes. Parsed it is a number, a part of a byte counting as one. */
function bytesOf(least: number, most: number) {
  return (
    z
      .union([z.number(), z.string()])
      .transform((value, context) => {
        const refuse = (expected: string): never => {
          context.addIssue({ code: 'custom', message: `expected ${expected}, found ${shown(value)}` });
          return z.NEVER;
        };
        const amount = parseQuantity(value);
        if (amount === undefined) return refuse('a quantity such as 512Mi or 2G');
        if (/[num]$/.test(String(value))) return refuse('whole bytes (M is a million, m a thousandth)');
        const whole = Number(wholeUnits(amount));
        if (amount < 0n || whole < least) return refuse(`at least ${quantityOf(least)}`);
        if (whole > most) return refuse(`at most ${quantityOf(most)}`);
        return whole;
      })
      // Kept through `describe`; how a value is written is read from it.
      .meta({ format: 'quantity' })
  );
}

/** Cores as a number (`0.5`) or a quantity (`500m`). Kubernetes gives them out in thousandths. */
function coresOf(least: number, most: number) {
  return z
    .union([z.number(), z.string()])
    .transform((value, context) => {
      const refuse = (expected: string): never => {
        context.addIssue({ code: 'custom', message: `expected ${expected}, found ${shown(value)}` });
        return z.NEVER;
      };
      // A program's 0.1 + 0.2 is 0.3 cores: twelve digits are more than there are thousandths.
      const amount = parseQuantity(typeof value === 'number' ? Number(value.toPrecision(12)) : value);
      if (amount === undefined) return refuse('cores such as 2, 0.5 or 500m');
      const milli = wholeMilli(amount);
      if (amount > 0n && milli * (NANO_PER_UNIT / 1000n) !== amount) return refuse('whole thousandths of a core');
      const number = Number(milli) / 1000;
      if (amount < 0n || number < least) return refuse(`at least ${least}`);
      if (number > most) return refuse(`at most ${most}`);
      return number;
    })
    .meta({ format: 'cores' });
}

const shown = (value: number | string): string => (typeof value === 'number' ? String(value) : JSON.stringify(value));
