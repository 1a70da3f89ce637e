import type { JobClass } from '../state/entities.ts';
import type { World } from '../state/world.ts';

/* How many replicas a job of a class may have. */

/** Sizes with so many replicas fewer, taken from the last elastic group first. */
export function shrunk(of: JobClass, less: number): readonly number[] {
  const sizes = of.groups.map(({ count }) => count);
  let left = less;
  for (let g = of.groups.length - 1; g >= 0 && left > 0; g -= 1) {
    const group = of.groups[g];
    if (group === undefined) continue;
    const taken = Math.min(left, group.count - group.min);
    sizes[g] = group.count - taken;
    left -= taken;
  }
  return sizes;
}

/** The smallest size that will do; it is charged `least`. */
export function smallest(of: JobClass): readonly number[] {
  return of.groups.map(({ min }) => min);
}

/** Whether each group by itself has room for so many replicas, nodes included that the job may not use. */
export function haveRoom(state: World, of: JobClass, sizes: readonly number[]): boolean {
  return of.groups.every(({ shape }, g) => (state.indices.get(shape.key)?.replicas(state.now) ?? 0) >= (sizes[g] ?? 0));
}
