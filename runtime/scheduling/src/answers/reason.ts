import { type Dimension, showAmount } from '../model/quantities.ts';

/** What keeps one replica from a node. */
export type NodeCause =
  | 'not-ready'
  | 'cordoned'
  | 'drained'
  | 'pool'
  | 'zone'
  | 'node'
  | 'selector'
  | 'taint'
  | 'gpu-model'
  | 'gpu'
  | 'gpu-sharing'
  | 'memory'
  | 'cpu'
  | 'ephemeral'
  | 'pods'
  | 'reserved'
  | 'booked';

export interface QuotaReason {
  readonly scope: string;
  readonly kind: 'organization' | 'project' | 'user' | 'person';
  readonly rule: 'quota' | 'limit' | 'guarantee' | 'remainder' | 'kept' | 'energy';
  readonly dimension: Dimension;
  readonly used: number;
  readonly cap: number;
  readonly needed: number;
}

/** Nodes as one group of replicas sees them; every node is counted once. */
export interface NodesReason {
  readonly group: number;
  readonly preset: string;
  readonly total: number;
  /** Nodes with room for at least one replica. */
  readonly fitting: number;
  readonly lacking: Readonly<Partial<Record<NodeCause, number>>>;
  /** Replicas that have room, each group asked alone, and how many are wanted at least. */
  readonly placeable: number;
  readonly wanted: number;
  /** Reservations that keep it from the nodes counted as booked. */
  readonly bookings?: readonly BookingReason[];
}

/** A reservation by name that keeps a job from nodes. */
export interface BookingReason {
  readonly name: string;
  readonly scope: string;
  readonly from: number;
  readonly until: number;
}

/** A change by which the job would start at once, without preemption. */
export type Remedy =
  | { readonly change: 'preset'; readonly preset: string }
  | { readonly change: 'pools'; readonly pools: readonly string[] }
  | { readonly change: 'queue'; readonly queue: string }
  | { readonly change: 'count'; readonly group: number; readonly count: number };

export interface Expected {
  /** At the latest if nothing else takes the place; undefined: no bound is known. */
  readonly at: number | undefined;
  readonly basis: string;
}

/** Why a job does not run: computed from the state, true of it, and of no other. */
export interface Reason {
  readonly job: string;
  readonly queue: string;
  readonly code: 'QuotaExhausted' | 'ArrayLimit' | 'EnergyWindow' | 'NoCapacity';
  /** It could not start even if nothing else ran; `text` says what is too small. */
  readonly never: boolean;
  readonly quota: QuotaReason | undefined;
  readonly array: { readonly name: string; readonly running: number; readonly cap: number } | undefined;
  /** Of the groups that have no room; empty where room is not what is missing. */
  readonly nodes: readonly NodesReason[];
  /** Each group has room, but not all together. */
  readonly together: boolean;
  /** False: the packing of unequal replicas was given up after a number of steps. */
  readonly proven: boolean;
  /** Jobs of the same class and queue that go before. */
  readonly ahead: number;
  readonly remedies: readonly Remedy[];
  readonly expected: Expected;
  readonly text: string;
}

export function quotaText({ kind, scope, rule, dimension, used, cap, needed }: QuotaReason): string {
  const [has, may, wants] = [used, cap, needed].map((amount) => showAmount(dimension, amount));
  const never = needed > cap;
  const its = kind === 'person' ? 'their' : 'its';
  switch (rule) {
    case 'quota':
    case 'limit':
      return never
        ? `this job needs ${wants}, more than the whole ${rule} of ${kind} ${scope} (${may})`
        : `${kind} ${scope} uses ${has} of ${its} ${rule} of ${may}, and this job needs ${wants}`;
    case 'guarantee':
      return `${kind} ${scope} has ${may} guaranteed and ${has} of it in use by jobs that cannot be preempted; this one needs ${wants} and, not being preemptible, may not run on what is lent`;
    case 'remainder':
      return `the guarantees of others leave ${may} to ${kind} ${scope} and those beside it, of which ${has} are in use by jobs that cannot be preempted; this one needs ${wants} and, not being preemptible, may not run on what is lent`;
    case 'kept':
      return `what is free of the quota of ${kind} ${scope} (${has} of ${may} are in use) is kept for a job that has waited longer; this one needs ${wants}`;
    case 'energy':
      return `in this energy window ${may} may run, ${has} do, and this job needs ${wants}`;
  }
}

const CAUSES: Readonly<Record<NodeCause, readonly [one: string, many: string]>> = {
  'not-ready': ['is not ready', 'are not ready'],
  cordoned: ['takes no new jobs', 'take no new jobs'],
  drained: ['is being drained', 'are being drained'],
  pool: ['is of another pool', 'are of other pools'],
  zone: ['is not in the zone of its volumes', 'are not in the zone of its volumes'],
  node: ['is none that it may run on', 'are none that it may run on'],
  selector: ['lacks a label it asks for', 'lack a label it asks for'],
  taint: ['has a taint it does not tolerate', 'have a taint it does not tolerate'],
  'gpu-model': ['has no such GPU', 'have no such GPU'],
  gpu: ['has too few free GPUs', 'have too few free GPUs'],
  'gpu-sharing': ['shares its GPUs in another way', 'share their GPUs in another way'],
  memory: ['lacks memory', 'lack memory'],
  cpu: ['lacks CPU', 'lack CPU'],
  ephemeral: ['lacks ephemeral storage', 'lack ephemeral storage'],
  pods: ['is full (number of Pods)', 'are full (number of Pods)'],
  booked: ['is reserved for others', 'are reserved for others'],
  reserved: ['is kept for another job or a drain', 'are kept for another job or a drain'],
};

export function nodesText({ preset, total, fitting, lacking, placeable, wanted, bookings = [] }: NodesReason): string {
  if (total === 0) return 'no node has joined the cluster';
  const parts = Object.entries(lacking)
    .sort(([, a], [, b]) => b - a)
    .map(([cause, n]) => {
      const what = `${n} ${CAUSES[cause as NodeCause][n === 1 ? 0 : 1]}`;
      return cause === 'booked' ? `${what} (${bookings.map(bookingText).join('; ')})` : what;
    });
  if (fitting > 0) parts.push(`${fitting} ${fitting === 1 ? 'has' : 'have'} room for ${placeable}`);
  const what = wanted === 1 ? 'no room' : `room for ${placeable} of ${wanted} replicas`;
  return `${what} for preset ${preset} on ${total} ${total === 1 ? 'node' : 'nodes'}: ${parts.join(', ')}`;
}

export function remedyText(remedies: readonly Remedy[]): string {
  return remedies.length === 0 ? '' : `would start now with: ${remedies.map(changeText).join('; ')}`;
}

function changeText(remedy: Remedy): string {
  switch (remedy.change) {
    case 'preset':
      return `preset ${remedy.preset}`;
    case 'pools':
      return `pool ${remedy.pools.join(' or ')}`;
    case 'queue':
      return `submitted to ${remedy.queue}`;
    case 'count':
      return `${remedy.count} ${remedy.count === 1 ? 'replica' : 'replicas'}`;
  }
}

function bookingText({ name, scope, from, until }: BookingReason): string {
  return `${name}, for ${scope} from ${new Date(from).toISOString()} until ${new Date(until).toISOString()}`;
}
