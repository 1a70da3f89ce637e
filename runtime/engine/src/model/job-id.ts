import { hash } from 'node:crypto';

/**
 * The id of the job of one try of a task: the same whenever and by whomever it is computed, so that a job that is
 * submitted again is the same job. A UUID of version 8 (RFC 9562) made of a SHA-256.
 */
export function jobIdOf(attempt: string, task: string, tryNumber: number): string {
  const hex = hash('sha256', JSON.stringify([attempt, task, tryNumber]));
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `job-${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** How often a job is made in all, where nothing else is said. */
export const TRIES = 3;
