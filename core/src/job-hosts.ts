import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { isLoopback } from './loopback.ts';

/*
 * The addresses of jobs: `NAME--PROJECT-HASH.jobs.DOMAIN` and `JOB-ID.jobs.DOMAIN`. Each is one label (RFC 1035, 2.3.4: at most 63
 * characters), so that one wildcard names them all, and each is an origin of its own.
 */

/** Longest readable part of the project: with the longest name, 40 characters, and the hash it makes a label. */
const PROJECT_LENGTH = 10;
const HASH_LENGTH = 10;

/**
 * The domain that jobs are one label below. On loopback it is `jobs.localhost`: browsers, curl and systemd's resolver answer all
 * names below `localhost` by loopback (RFC 6761, 6.3).
 * @returns undefined for a platform at an address: there are no names below one
 */
export function jobsDomain(domain: string): string | undefined {
  if (isLoopback(domain)) return domain.endsWith('.localhost') ? `jobs.${domain}` : 'jobs.localhost';
  return isIPv4(domain) || isIPv6(domain) ? undefined : `jobs.${domain}`;
}

/** The label of a job that has a name. Jobs of other projects may have the same name, and never the same label. */
export function namedJobLabel({
  org,
  project,
  name,
}: { readonly [key in 'org' | 'project' | 'name']: string }): string {
  const readable = project.slice(0, PROJECT_LENGTH).replace(/-+$/, '');
  return `${name}--${readable}-${projectHash(org, project)}`;
}

/** The parts of a label that {@link namedJobLabel} has made; undefined for any other text. No name has two hyphens in a row. */
export function splitJobLabel(label: string): { readonly name: string; readonly hash: string } | undefined {
  const [, name, hash] = /^([a-z](?:-?[a-z0-9])*)--[a-z0-9-]+-([0-9a-f]{10})$/.exec(label) ?? [];
  return name === undefined || hash === undefined ? undefined : { name, hash };
}

/** What tells projects apart whose names are alike, or begin alike. */
export const projectHash = (org: string, project: string): string =>
  createHash('sha256').update(`${org}/${project}`).digest('hex').slice(0, HASH_LENGTH);

/** Where a job is reached. @param publicUrl the platform's own, which says scheme and port */
export function jobUrl(publicUrl: string, domain: string, label: string): string {
  const { protocol, port } = new URL(publicUrl);
  return `${protocol}//${label}.${domain}${port === '' ? '' : `:${port}`}`;
}
