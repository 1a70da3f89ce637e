import { at } from '../model/quantities.ts';
import type { Shape } from '../model/shapes.ts';
import { Claim, cheapestFirst, cheapestSubset, type Victim } from '../policies/preemption.ts';
import type { JobClass } from '../state/entities.ts';
import type { NodeTable } from '../state/node-table.ts';
import type { SchedulerState } from '../state/state.ts';
import { moveOnNode } from '../state/trial.ts';
import { mayUseClosed } from '../waking/closed.ts';
import { rightsOf } from '../waking/rights.ts';

/**
 * For one replica that waits for room: of every node the cheapest subset of the jobs there that may be preempted, and
 * of nodes the one where that is cheapest, of equal ones the first by name. A class that found none looks only where
 * something has changed for it since.
 */
export function cheapestNode(state: SchedulerState, of: JobClass): readonly Victim[] | undefined {
  const shape = of.groups[0]?.shape;
  const index = shape === undefined ? undefined : state.indices.get(shape.key);
  if (shape === undefined || index === undefined) return undefined;
  index.refresh(state.now);
  const claim = new Claim(of, rightsOf(state));
  const { idleGpus } = state.nodes;
  const wanted = shape.gpu.kind === 'whole' ? shape.gpu.count : 0;
  let best: readonly Victim[] | undefined;
  let limit = Infinity;
  for (const node of nodesFor(state, of, claim)) {
    const there = state.onNode.get(node);
    if (there === undefined || !index.accepted(node)) continue;
    const lacking = wanted === 0 ? 0 : wanted - at(idleGpus, node);
    const victims: Victim[] = [];
    let devices = 0;
    let least = Infinity;
    let leastPerDevice = Infinity;
    for (const job of there) {
      const victim = claim.victim(job);
      if (victim === undefined) continue;
      victims.push(victim);
      least = Math.min(least, victim.cost);
      if (lacking <= 0) continue;
      const freed = job.pods.reduce((sum, pod) => sum + (pod.node === node ? pod.gpus.length : 0), 0);
      devices += freed;
      if (freed > 0) leastPerDevice = Math.min(leastPerDevice, victim.cost / freed);
    }
    // No subset is enough, or none is cheaper than the best so far.
    if (least >= limit || (lacking > 0 && (devices < lacking || leastPerDevice * lacking >= limit))) continue;
    if (state.closed.has(node) && !mayUseClosed(state, node, of)) continue;
    const subset = cheapestOn(state.nodes, node, shape, victims, limit);
    if (subset === undefined) continue;
    best = subset;
    limit = subset.reduce((sum, { cost }) => sum + cost, 0);
  }
  return best;
}

/** Nodes where somebody may be preempted, by name. */
function nodesFor(state: SchedulerState, of: JobClass, claim: Claim): readonly number[] {
  const nodes = of.retryOn === 'anywhere' ? new Set<number>() : of.retryOn;
  if (of.retryOn === 'anywhere') {
    for (const jobs of claim.reach()) {
      for (const { pods } of jobs) for (const { node } of pods) nodes.add(node);
      // Sorting most of them costs more than looking at all.
      if (nodes.size * 4 > state.nodes.byName.length) return state.nodes.byName;
    }
  }
  return [...nodes].sort((a, b) => (state.nodes.name(a) < state.nodes.name(b) ? -1 : 1));
}

/** Of the victims on a node the cheapest that make room there for one of a shape, if they cost less than `below`. */
function cheapestOn(
  nodes: NodeTable,
  node: number,
  shape: Shape,
  victims: readonly Victim[],
  below: number,
): readonly Victim[] | undefined {
  return nodes.trial(() => {
    const lift = ({ job }: Victim): void => moveOnNode(nodes, node, job, -1);
    const putBack = ({ job }: Victim): void => moveOnNode(nodes, node, job, 1);
    for (const victim of victims) lift(victim);
    const possible = nodes.fits(node, shape);
    for (const victim of victims) putBack(victim);
    if (!possible) return undefined;
    return cheapestSubset(cheapestFirst(victims), below, lift, putBack, () => nodes.fits(node, shape));
  });
}
