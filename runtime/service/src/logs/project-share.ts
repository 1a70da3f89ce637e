import type { LogSettings } from '@delos/core';

/**
 * The most that a project may hold of the archive: `projectLimit`, or less where all projects together are over
 * `totalLimit`. Then those that hold the most give way, down to one level for all of them (max-min fairness).
 * @param sizes bytes that each project holds
 * @returns whole bytes
 */
export function projectShare(
  sizes: readonly number[],
  { projectLimit, totalLimit }: Pick<LogSettings, 'projectLimit' | 'totalLimit'>,
): number {
  let room = totalLimit;
  const ascending = sizes.map((size) => Math.min(size, projectLimit)).sort((a, b) => a - b);
  for (const [index, size] of ascending.entries()) {
    const level = Math.floor(room / (ascending.length - index));
    if (size > level) return level;
    room -= size;
  }
  return projectLimit;
}
