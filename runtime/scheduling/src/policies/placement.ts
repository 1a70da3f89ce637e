import type { Policy, Preset } from '../model/model.ts';
import { at } from '../model/quantities.ts';
import { type Shape, wholeDevices } from '../model/shapes.ts';
import type { NodeTable } from '../state/node-table.ts';

/**
 * Chooses among the nodes that fit one replica. The score may depend on that node and the shape alone, so that it is
 * remembered until the node changes; the lowest wins, then the name.
 */
export interface PlacementPolicy {
  readonly name: string;
  score(nodes: NodeTable, node: number, shape: Shape): number;
  /** The device of a node that a part goes to; left out: the one that it leaves fullest. Only asked where it fits. */
  device?(nodes: NodeTable, node: number, shape: Shape): number;
  /** The policy at work in one world; left out: the policy as it is. What it knows must follow from the world alone. */
  inWorld?(world: PlacementWorld): PlacementPolicy;
}

/** What a placement policy may know beside the nodes. */
export interface PlacementWorld {
  /** What is asked for, and how often in proportion. */
  readonly demand: readonly { readonly preset: Preset; readonly weight: number }[];
}

/**
 * Best fit: the node that is left fullest, whole devices counting first, so that whole nodes stay free for large jobs;
 * a shape without devices keeps away from nodes that have idle ones.
 *
 * Source: Garey, Graham, Ullman, "Worst-case analysis of memory allocation algorithms", STOC 1972 (best fit); devices
 * first after Weng et al., "Beware of Fragmentation", ATC 2023.
 */
export const bestFit: PlacementPolicy = {
  name: 'best-fit',
  score: (nodes, node, shape) => {
    const need = shape.gpu;
    let devices = at(nodes.idleGpus, node);
    if (need.kind === 'whole' || need.kind === 'claim') devices -= wholeDevices(need);
    // A part of a device that is in use already is better than one that nobody uses.
    else if ((need.kind === 'fraction' || need.kind === 'memory') && at(nodes.idleGpus, node) < at(nodes.gpus, node)) {
      devices -= 0.5;
    }
    return (devices * 2 ** 20 + at(nodes.milliCpu, node) / 1000) * 2 ** 10 + at(nodes.memoryMiB, node) / 2 ** 12;
  },
};

/** Spreads: the emptiest node first, as kube-scheduler's LeastAllocated. For comparison. */
export const worstFit: PlacementPolicy = {
  name: 'worst-fit',
  score: (nodes, node, shape) => -bestFit.score(nodes, node, shape),
};

/**
 * The placement policies that a snapshot may name. Whoever makes a scheduler hands the table in: a decision then depends
 * on nothing but the snapshot and the table, and not on which modules were imported before.
 */
export type Placements = ReadonlyMap<string, PlacementPolicy>;

export function placementsOf(policies: readonly PlacementPolicy[]): Placements {
  return new Map(policies.map((each) => [each.name, each]));
}

/** The placement policies of the core itself. */
export const CORE_PLACEMENTS: Placements = placementsOf([bestFit, worstFit]);

/** @throws RangeError where the table has no policy of that name */
export function placementNamed(name: string, placements: Placements): PlacementPolicy {
  const found = placements.get(name);
  if (found !== undefined) return found;
  throw new RangeError(`there is no placement policy ${name}; there are: ${[...placements.keys()].join(', ')}`);
}

/** A placement policy, at work on the presets that there are. */
export function placementFor(
  named: PlacementPolicy,
  { demand: common }: Policy,
  presets: ReadonlyMap<string, Preset>,
): PlacementPolicy {
  const all = [...presets.values()].map(({ name }) => ({ preset: name, weight: 1 }));
  // In the order of their names: sums must not depend on that of a list.
  const order = (common ?? all).toSorted((a, b) => (a.preset < b.preset ? -1 : 1));
  const demand = order.flatMap(({ preset, weight }) => {
    const found = presets.get(preset);
    return found === undefined ? [] : [{ preset: found, weight }];
  });
  return named.inWorld?.({ demand }) ?? named;
}
