import type { Resize } from '../model/decision.ts';
import type { PodPlacement } from '../model/model.ts';
import { addTo } from '../model/quantities.ts';
import { mayTake, replicaAmounts, type Spare, sparesFor } from '../policies/elastic.ts';
import { giveBack } from '../policies/gang.ts';
import type { Pod } from '../policies/gang-request.ts';
import type { JobClass } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import { charge } from '../state/scope-tree.ts';
import type { SchedulerState } from '../state/state.ts';
import { mayUseClosed } from '../waking/closed.ts';
import type { Timers } from '../waking/timers.ts';
import { blockOf, placeJob } from './admission.ts';
import { smallest } from './sizes.ts';

/** Replicas to take away, and the places taken for the job in their stead. They are still booked. */
export interface Shrinkage {
  readonly spares: readonly Spare[];
  readonly sizes: readonly number[];
  readonly pods: readonly Pod[];
}

/**
 * Looks for replicas above the minimum of running gangs without which the head of a class can start at its smallest
 * size.
 */
export function tryShrink(state: SchedulerState, of: JobClass): Shrinkage | { readonly retryAt: number | undefined } {
  if (state.elastic.size === 0) return { retryAt: undefined };
  const sizes = smallest(of);
  const amounts = of.least;
  const lifted: Spare[] = [];
  const lift = (spare: Spare): boolean => {
    if (!mayTake(spare, of.queue)) return false;
    moveSpare(state, spare, -1);
    lifted.push(spare);
    return true;
  };
  const putBack = (spare: Spare): void => {
    moveSpare(state, spare, 1);
    lifted.splice(lifted.indexOf(spare), 1);
  };
  const places = (): readonly Pod[] | undefined =>
    blockOf(state, of, amounts) === undefined ? placeJob(state, of, sizes) : undefined;
  const enough = (): boolean => {
    const pods = places();
    if (pods !== undefined) giveBack(state.nodes, of.groups, pods);
    return pods !== undefined;
  };
  const found = (): Shrinkage | undefined => {
    if (!enough()) return undefined;
    for (const spare of lifted.toReversed()) {
      putBack(spare);
      if (!enough()) lift(spare);
    }
    const pods = places();
    return pods === undefined ? undefined : { spares: [...lifted], sizes, pods };
  };
  try {
    if (blockOf(state, of, amounts) === undefined && of.groups.length === 1 && sizes[0] === 1) {
      const node = leastOn(state, of, lift, putBack, lifted);
      if (node === undefined) return retry(state);
      for (const spare of sparesFor(of, state.elastic, state.now, new Set([node]))) lift(spare);
    } else for (const spare of sparesFor(of, state.elastic, state.now)) lift(spare);
    return found() ?? retry(state);
  } finally {
    for (const spare of [...lifted]) moveSpare(state, spare, 1);
  }
}

/** Of the nodes where one replica would have room without those above the minimum the one that loses the fewest. */
function leastOn(
  state: SchedulerState,
  of: JobClass,
  lift: (spare: Spare) => boolean,
  putBack: (spare: Spare) => void,
  lifted: readonly Spare[],
): number | undefined {
  const shape = of.groups[0]?.shape;
  const index = shape === undefined ? undefined : state.indices.get(shape.key);
  if (shape === undefined || index === undefined) return undefined;
  index.refresh(state.now);
  const nodes = new Set([...state.elastic].flatMap(({ pods }) => pods.map(({ node }) => node)));
  let best: { readonly node: number; readonly fewest: number } | undefined;
  for (const node of [...nodes].sort((a, b) => (state.nodes.name(a) < state.nodes.name(b) ? -1 : 1))) {
    if (!index.accepted(node) || (state.closed.has(node) && !mayUseClosed(state, node, of))) continue;
    const spares = sparesFor(of, state.elastic, state.now, new Set([node]));
    for (const spare of spares) if (!state.nodes.fits(node, shape)) lift(spare);
    if (state.nodes.fits(node, shape) && lifted.length < (best?.fewest ?? Infinity)) {
      best = { node, fewest: lifted.length };
    }
    for (const spare of [...lifted]) putBack(spare);
  }
  return best?.node;
}

/** What grew at this instant can give again at the next. */
function retry(state: SchedulerState): { readonly retryAt: number | undefined } {
  const guarded = [...state.elastic].some(({ grewAt }) => grewAt === state.now);
  return { retryAt: guarded ? state.now + 1 : undefined };
}

function moveSpare(state: SchedulerState, { job, pod, amounts }: Spare, sign: 1 | -1): void {
  const shape = job.of.groups[pod.group]?.shape;
  if (shape === undefined) return;
  if (sign > 0) state.nodes.take(pod.node, shape, pod.gpus);
  else state.nodes.release(pod.node, shape, pod.gpus);
  charge(job.of.queue, amounts, job.of, sign, 0);
  state.milliGpu += sign * (amounts[3] ?? 0);
}

/** Takes the replicas away for good. */
export function shrink(state: SchedulerState, spares: readonly Spare[], claimant: string, of: JobClass): Resize[] {
  const byJob = new Map<number, Spare[]>();
  for (const spare of spares) byJob.set(spare.job.slot, [...(byJob.get(spare.job.slot) ?? []), spare]);
  return [...byJob.values()]
    .sort(([a], [b]) => ((a?.job.id ?? '') < (b?.job.id ?? '') ? -1 : 1))
    .flatMap((each) => {
      const job = each[0]?.job;
      if (job === undefined) return [];
      const removed = each.map(({ pod }) => pod);
      state.resize(job, [], removed);
      const text = `gives ${replicas(removed.length)} above its minimum to ${claimant} of ${of.queue.spec.name}`;
      return [resizeOf(state, job, [], removed, claimant, text)];
    });
}

/**
 * Grows running gangs towards the size that they wish for, where quotas and nodes allow it. It is asked when no waiting
 * job can use the room. Higher priority first, then the one that started first. A new replica lies as near to the
 * others as it can.
 */
export function grow(state: SchedulerState): readonly { readonly job: RunningJob; readonly decision: Resize }[] {
  const wishing = [...state.elastic]
    .filter((job) => job.grewAt !== state.now && job.of.groups.some(({ count }, g) => (job.sizes[g] ?? 0) < count))
    .sort((a, b) => b.of.rank - a.of.rank || a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
  return wishing.flatMap((job) => {
    const added = placesToGrow(state, job);
    if (added.length === 0) return [];
    const resized = state.resize(job, added, []);
    const text = `grows by ${replicas(added.length)} into room that nobody waits for`;
    return [{ job: resized, decision: resizeOf(state, job, added, [], null, text) }];
  });
}

/** A gang that could have grown but for the instant may at the next. */
export function growLater(state: SchedulerState, timers: Timers): void {
  if (
    [...state.elastic].some(
      ({ grewAt, of, sizes }) => grewAt === state.now && of.groups.some(({ count }, g) => (sizes[g] ?? 0) < count),
    )
  )
    timers.movable.add(state.now + 1, null);
}

function placesToGrow(state: SchedulerState, { of, sizes, pods }: RunningJob): readonly Pod[] {
  const added: Pod[] = [];
  const amounts = new Float64Array(5);
  of.groups.forEach(({ shape, count }, g) => {
    const one = replicaAmounts(of, g);
    for (let size = sizes[g] ?? 0; size < count; size += 1) {
      addTo(amounts, one, 1);
      const node = blockOf(state, of, amounts, true) === undefined ? nearest(state, of, g, [...pods, ...added]) : -1;
      if (node < 0) {
        addTo(amounts, one, -1);
        return;
      }
      added.push({ group: g, node, gpus: state.nodes.take(node, shape) });
    }
  });
  return added;
}

/**
 * The node with room that shares the narrowest domain with the gang, then by the placement policy, then by name; -1:
 * none.
 */
function nearest(state: SchedulerState, of: JobClass, g: number, pods: readonly Pod[]): number {
  const shape = of.groups[g]?.shape;
  const index = shape === undefined ? undefined : state.indices.get(shape.key);
  if (shape === undefined || index === undefined) return -1;
  if (index.best(state.now) < 0 && state.closed.size === 0) return -1;
  const widest = ['node', 'nvlink', 'rack', 'zone', 'cluster'].indexOf(of.template.within ?? 'cluster');
  const domains = Array.from(
    { length: widest + 1 },
    (_, l) => new Set(pods.map(({ node }) => state.nodes.domains[node]?.[l])),
  );
  let best = -1;
  let bestLevel = Infinity;
  let bestScore = Infinity;
  for (let node = 0; node < state.nodes.size; node += 1) {
    if (!index.accepted(node) || !state.nodes.fits(node, shape)) continue;
    if (state.closed.has(node) && !mayUseClosed(state, node, of)) continue;
    const narrowest = domains.findIndex((among, l) => among.has(state.nodes.domains[node]?.[l]));
    if (narrowest < 0) continue;
    const level = state.policy.topology === 'ignore' ? widest : narrowest;
    if (level > bestLevel) continue;
    const score = state.placement.score(state.nodes, node, shape);
    const better =
      level < bestLevel ||
      score < bestScore ||
      (score === bestScore && state.nodes.name(node) < state.nodes.name(best));
    if (!better) continue;
    best = node;
    bestLevel = level;
    bestScore = score;
  }
  return best;
}

function resizeOf(
  state: SchedulerState,
  job: RunningJob,
  added: readonly Pod[],
  removed: readonly Pod[],
  claimant: string | null,
  text: string,
): Resize {
  const places = (pods: readonly Pod[]): readonly PodPlacement[] =>
    pods.map(({ group, node, gpus }) => ({ group, node: state.nodes.name(node), gpus: [...gpus] }));
  return {
    kind: 'resize',
    job: job.id,
    queue: job.of.queue.spec.name,
    added: places(added),
    removed: places(removed),
    for: claimant,
    text,
  };
}

function replicas(n: number): string {
  return n === 1 ? '1 replica' : `${n} replicas`;
}
