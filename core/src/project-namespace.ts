import { createHash } from 'node:crypto';

/** Longest readable part: with hyphen and digest it makes a DNS label of at most 63 characters. */
export const READABLE_LENGTH = 54;

/**
 * A project's namespace: `job-ORG-PROJECT-DIGEST`. Names alone would be ambiguous (`a-b`/`c` and `a`/`b-c`) and may be
 * too long for one DNS label, so a digest of both is part of it.
 */
export function projectNamespace(org: string, project: string): string {
  const digest = createHash('sha256').update(`${org}/${project}`).digest('hex').slice(0, 8);
  const readable = `job-${org}-${project}`.slice(0, READABLE_LENGTH).replace(/-+$/, '');
  return `${readable}-${digest}`;
}
