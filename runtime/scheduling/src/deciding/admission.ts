import { at } from '../model/quantities.ts';
import { giveBack, placeGang } from '../policies/gang.ts';
import type { GangRequest, Pod } from '../policies/gang-request.ts';
import { type QuotaBlock, tryQuotaBlock } from '../policies/quota.ts';
import type { JobClass } from '../state/entities.ts';
import { amountsOf } from '../state/job-class.ts';
import { keptFrom } from '../state/quota-hold.ts';
import type { SchedulerState } from '../state/state.ts';
import { goesBefore, mayUseClosed } from '../waking/closed.ts';
import { haveRoom, shrunk } from './sizes.ts';

/** What stops a job before room is asked for. */
export type Block =
  | { readonly kind: 'array'; readonly running: number; readonly cap: number }
  | { readonly kind: 'quota'; readonly quota: QuotaBlock }
  | {
      readonly kind: 'energy';
      readonly used: number;
      readonly cap: number;
      readonly needed: number;
      readonly until: number;
    }
  | { readonly kind: 'room' };

/** Places that are taken for a job that may start, or what stops it. */
export type Admission =
  | { readonly sizes: readonly number[]; readonly pods: readonly Pod[] }
  | { readonly block: Block };

/**
 * All limits except room: the array's own (unless the job runs already and only grows), quotas from the queue up,
 * energy windows.
 */
export function blockOf(state: SchedulerState, of: JobClass, amounts: Float64Array, runs = false): Block | undefined {
  const array = of.template.array;
  if (array?.maxRunning !== undefined && !runs) {
    const running = state.arrays.get(array.name) ?? 0;
    if (running >= array.maxRunning) return { kind: 'array', running, cap: array.maxRunning };
  }
  const quota = tryQuotaBlock(of.queue, amounts, of.preemptible, state.quotas);
  if (quota !== undefined) return { kind: 'quota', quota };
  const kept = keptFrom(state, of, amounts);
  if (kept !== undefined) return { kind: 'quota', quota: kept };
  const needed = at(amounts, 3);
  for (const { from, until, maxMilliGpu } of state.policy.energyWindows) {
    if (needed === 0 || state.now < from || state.now >= until || state.milliGpu + needed <= maxMilliGpu) continue;
    return { kind: 'energy', used: state.milliGpu, cap: maxMilliGpu, needed, until };
  }
  return undefined;
}

/** Takes places for a job of these sizes; undefined where there is no room. */
export function placeJob(state: SchedulerState, of: JobClass, sizes: readonly number[]): readonly Pod[] | undefined {
  const [group] = of.groups;
  if (group !== undefined && of.groups.length === 1 && sizes[0] === 1) {
    const node = nodeFor(state, of);
    return node < 0 ? undefined : [{ group: 0, node, gpus: state.nodes.take(node, group.shape) }];
  }
  return haveRoom(state, of, sizes) ? placeGang(gangRequest(state, of, sizes)) : undefined;
}

/** Where replicas of a class may go now. */
export function gangRequest(state: SchedulerState, of: JobClass, sizes: readonly number[]): GangRequest {
  const usable = of.groups.map(({ shape }) => {
    const index = state.indices.get(shape.key);
    index?.refresh(state.now);
    const nodes: number[] = [];
    for (let node = 0; node < state.nodes.size; node += 1) {
      if (index?.accepted(node) !== true || !state.nodes.fits(node, shape)) continue;
      if (!state.closed.has(node) || mayUseClosed(state, node, of)) nodes.push(node);
    }
    return nodes;
  });
  const { nodes, placement, policy } = state;
  const within = of.template.within ?? 'cluster';
  return { nodes, placement, groups: of.groups, sizes, usable, within, topology: policy.topology };
}

function nodeFor(state: SchedulerState, of: JobClass): number {
  const shape = of.groups[0]?.shape;
  const index = shape === undefined ? undefined : state.indices.get(shape.key);
  if (shape === undefined || index === undefined) return -1;
  const open = index.best(state.now);
  // A class that may use a node that is closed to others uses it first, which keeps open nodes free. Nodes that are kept for a class that goes after it come last.
  let best = -1;
  let bestScore = Infinity;
  for (const node of state.closed) {
    if (!index.accepted(node) || !state.nodes.fits(node, shape) || !mayUseClosed(state, node, of)) continue;
    const score = state.placement.score(state.nodes, node, shape);
    if (score < bestScore || (score === bestScore && state.nodes.name(node) < state.nodes.name(best))) {
      best = node;
      bestScore = score;
    }
  }
  if (best < 0) return open;
  const { held } = state;
  const prefersOpen =
    held !== undefined && (held.of === of || (held.nodes.has(best) && goesBefore(state, of, held.of)));
  return open < 0 || !prefersOpen ? best : open;
}

/**
 * Tries to admit the head of a class as it is, without preemption: with all replicas wished for or, if it is elastic,
 * with as many as quotas and nodes allow.
 */
export function admit(state: SchedulerState, of: JobClass): Admission {
  const full = of.groups.map(({ count }) => count);
  const spare = of.groups.reduce((sum, { count, min }) => sum + count - min, 0);
  const allowed = (less: number): Block | undefined => blockOf(state, of, amountsOf(of.groups, shrunk(of, less)));
  if (spare === 0) {
    const block = blockOf(state, of, of.amounts);
    if (block !== undefined) return { block };
    const pods = placeJob(state, of, full);
    return pods === undefined ? { block: { kind: 'room' } } : { sizes: full, pods };
  }
  const block = allowed(spare);
  if (block !== undefined) return { block };
  const byQuota = leastThat(0, spare, (less) => allowed(less) === undefined);
  let found: { sizes: readonly number[]; pods: readonly Pod[] } | undefined;
  leastThat(byQuota, spare + 1, (less) => {
    if (less > spare) return true;
    const sizes = shrunk(of, less);
    const pods = placeJob(state, of, sizes);
    if (pods === undefined) return false;
    if (found !== undefined) giveBack(state.nodes, of.groups, found.pods);
    found = { sizes, pods };
    return true;
  });
  return found ?? { block: { kind: 'room' } };
}

/** The least number in [from, to] for which a monotone test holds; it must hold for `to`. */
function leastThat(from: number, to: number, test: (value: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
