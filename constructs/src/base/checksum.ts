import { createHash } from 'node:crypto';

/** Annotation of a Pod template: changes with the content it names, so that exactly its readers are rolled. */
export const CHECKSUM_ANNOTATION = 'delos.dev/config-checksum';

export function checksum(...contents: readonly Readonly<Record<string, string>>[]): string {
  const sorted = contents.map((content) => Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}
