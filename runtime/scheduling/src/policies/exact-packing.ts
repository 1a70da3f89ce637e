import type { Shape } from '../model/shapes.ts';
import type { GroupNeed } from '../state/entities.ts';
import type { GangRequest, Pod } from './gang-request.ts';

/** States looked at before the search gives up; then "no room" is not proven, and the reason says so. */
export const EXACT_STEPS = 20_000;

/**
 * Places unequal replicas node by node, trying on each every mix of what is still to be placed, most first, and for
 * parts of devices every device; where one of them claims devices, every choice of devices for each. Remembers which rests
 * were met at which node. Takes the places that it finds.
 *
 * Source: dynamic programming over remaining demand, as for vector bin packing with few item kinds (Gilmore and Gomory,
 * "A linear programming approach to the cutting stock problem", 1961: patterns).
 */
export function packExactly(
  request: GangRequest,
  kinds: readonly number[],
  members: readonly number[],
): readonly Pod[] | undefined {
  const { nodes, groups, sizes } = request;
  const claims = kinds.some((g) => (groups[g] as GroupNeed).shape.gpu.kind === 'claim');
  const usable = kinds.map((g) => new Set(request.usable[g] ?? []));
  const shapes = kinds.map((g) => (groups[g] as GroupNeed).shape);
  const rest = kinds.map((g) => sizes[g] ?? 0);
  const pods: Pod[] = [];
  const seen = new Set<string>();
  let steps = 0;
  let all = true;

  const visit = (m: number): boolean => {
    if (rest.every((each) => each === 0)) return true;
    const node = members[m];
    if (node === undefined) return false;
    const key = `${m} ${rest.join(' ')}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return mix(m, node, 0, 0);
  };

  /** Devices that one replica may take: of replicas of one kind, each begins after the one before. */
  const deals = (node: number, shape: Shape, from: number): readonly (readonly number[] | undefined)[] => {
    if (!claims)
      return nodes.partDevices(node, shape, from).map((device) => (device === undefined ? device : [device]));
    const hands = nodes.hands(node, shape);
    if (hands === undefined) all = false;
    return hands?.filter(([first = from]) => first >= from) ?? [undefined];
  };

  /** One more of a kind, on devices not before `from`; or no more of it here. */
  const mix = (m: number, node: number, kind: number, from: number): boolean => {
    if (steps >= EXACT_STEPS) return false;
    steps += 1;
    const shape = shapes[kind];
    if (shape === undefined) return visit(m + 1);
    if ((rest[kind] ?? 0) > 0 && usable[kind]?.has(node) === true && nodes.fits(node, shape)) {
      for (const deal of deals(node, shape, from)) {
        const gpus = nodes.take(node, shape, deal);
        pods.push({ group: kinds[kind] as number, node, gpus });
        rest[kind] = (rest[kind] ?? 0) - 1;
        if (mix(m, node, kind, deal?.[0] ?? 0)) return true;
        rest[kind] = (rest[kind] ?? 0) + 1;
        pods.pop();
        nodes.release(node, shape, gpus);
      }
    }
    return mix(m, node, kind + 1, 0);
  };

  if (visit(0)) return pods;
  if (steps >= EXACT_STEPS || !all) request.onGiveUp?.();
  return undefined;
}
