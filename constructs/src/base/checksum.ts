import { createHash } from 'node:crypto';

export function checksum(...contents: readonly Readonly<Record<string, string>>[]): string {
  const sorted = contents.map((content) => Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}
