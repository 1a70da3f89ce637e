import { type Block, blockOf, gangRequest, placeJob } from '../deciding/admission.ts';
import { smallest } from '../deciding/sizes.ts';
import { type Unsuitable, unsuitable } from '../model/shapes.ts';
import { giveBack, placeGang } from '../policies/gang.ts';
import { tryQuotaBlock } from '../policies/quota.ts';
import type { GroupNeed, JobClass } from '../state/entities.ts';
import { isKeptFor } from '../state/held.ts';
import { amountsOf } from '../state/job-class.ts';
import { NodeTable } from '../state/node-table.ts';
import type { SchedulerState } from '../state/state.ts';
import { bookingAgainst, mayUseClosed } from '../waking/closed.ts';
import { Expectations, expectedText } from './expected.ts';
import {
  type BookingReason,
  type NodeCause,
  type NodesReason,
  nodesText,
  type QuotaReason,
  quotaText,
  type Reason,
  remedyText,
} from './reason.ts';
import { remediesFor } from './remedies.ts';

type ClassReason = Omit<Reason, 'job' | 'ahead'>;

/**
 * Answers why jobs wait, for the state as it is after a cycle. It keeps what it finds out for jobs of the same class:
 * use one for all questions about one state, and a new one for the next state.
 */
export class Explainer {
  readonly #state: SchedulerState;
  readonly #classes = new Map<JobClass, ClassReason>();
  /** For the oldest job of each class that something is kept for. Its other jobs get no part of that. */
  readonly #holders = new Map<JobClass, ClassReason>();
  readonly #expectations: Expectations;
  #empty: NodeTable | undefined;

  constructor(state: SchedulerState) {
    this.#state = state;
    this.#expectations = new Expectations(state);
  }

  /** Undefined where the job does not wait. */
  explain(id: string): Reason | undefined {
    const { state } = { state: this.#state };
    const slot = state.jobs.slotOf(id);
    if (slot === undefined || state.running.has(slot)) return undefined;
    const of = state.jobs.classOf(slot);
    const first = of.pending.peek() === slot;
    const holds = first && isKeptFor(state, of);
    const known = holds ? this.#holders : this.#classes;
    let reason = known.get(of);
    if (reason === undefined) {
      reason = this.#reasonOf(of, holds);
      known.set(of, reason);
    }
    return { job: id, ahead: first ? 0 : this.#ahead(of, slot), ...reason };
  }

  #ahead(of: JobClass, slot: number): number {
    let ahead = 0;
    for (const other of of.pending.values()) if (this.#state.jobs.before(other, slot)) ahead += 1;
    return ahead;
  }

  #reasonOf(of: JobClass, holds: boolean): ClassReason {
    const state = this.#state;
    const least = smallest(of);
    const amounts = amountsOf(of.groups, least);
    // First come limits that stay however many jobs end. Room that jobs give back comes after them.
    const beyond = tryQuotaBlock(of.queue, amounts, of.preemptible, state.quotas, true);
    const block: Block | undefined =
      beyond === undefined ? blockOf(state, of, amounts) : { kind: 'quota', quota: beyond };
    const { has: room, proven } = this.#room(of, least);
    const nodes = room ? [] : of.groups.map((group, g) => this.#nodesReason(of, group, g, least[g] ?? 0));
    const short = nodes.filter(({ placeable, wanted }) => placeable < wanted);
    const together = !room && short.length === 0;
    const quota = quotaReasonOf(of, block);
    const array = arrayReasonOf(of, block);
    const tooMuch = beyond !== undefined;
    const tooLarge = !room && !this.#fitsEmpty(of, least);
    const remedies = block?.kind === 'array' ? [] : remediesFor(state, of, holds);
    const expected =
      tooMuch || tooLarge ? { at: undefined, basis: 'never, as things are' } : this.#expectations.of(of, block, room);
    const parts = [
      quota === undefined ? '' : quotaText(quota),
      array === undefined ? '' : `array ${array.name} runs ${array.running} jobs, its limit is ${array.cap}`,
      ...(together ? ['each group of replicas has room, but not all together'] : short.map(nodesText)),
      tooLarge ? 'not even the empty cluster holds it' : '',
      remedyText(remedies),
      `expected: ${expectedText(expected)}`,
    ];
    return {
      queue: of.queue.spec.name,
      code: codeOf(block),
      never: tooMuch || tooLarge,
      quota,
      array,
      nodes: short.length === 0 && together ? nodes : short,
      together,
      proven,
      remedies,
      expected,
      text: parts.filter((part) => part !== '').join('; '),
    };
  }

  /** Whether there is room now; `proven` is false where the search for it was given up. */
  #room(of: JobClass, sizes: readonly number[]): { readonly has: boolean; readonly proven: boolean } {
    const state = this.#state;
    let proven = true;
    const onGiveUp = (): void => {
      proven = false;
    };
    const single = of.groups.length === 1 && sizes[0] === 1;
    const pods = single ? placeJob(state, of, sizes) : placeGang({ ...gangRequest(state, of, sizes), onGiveUp });
    if (pods !== undefined) giveBack(state.nodes, of.groups, pods);
    return { has: pods !== undefined, proven };
  }

  #nodesReason(of: JobClass, { shape }: GroupNeed, group: number, wanted: number): NodesReason {
    const state = this.#state;
    const lacking: Partial<Record<NodeCause, number>> = {};
    const roomIn = new Map<string, number>();
    const level = levelOf(of);
    const bookings = new Map<string, BookingReason>();
    const closedTo = (node: number): NodeCause | undefined => {
      const against = bookingAgainst(state, node, of);
      if (against === undefined) return mayUseClosed(state, node, of) ? undefined : 'reserved';
      const { name, scope, from, until } = against;
      bookings.set(name, { name, scope, from, until });
      return 'booked';
    };
    let total = 0;
    let fitting = 0;
    state.nodes.specs.forEach((spec, node) => {
      const pool = state.nodes.pools[node];
      if (spec === undefined || pool === undefined) return;
      total += 1;
      const cause: NodeCause | Unsuitable | undefined = !spec.ready
        ? 'not-ready'
        : spec.cordoned
          ? 'cordoned'
          : spec.drainAt !== undefined && state.now >= spec.drainAt
            ? 'drained'
            : (unsuitable(shape, spec, pool) ??
              state.nodes.shortage(node, shape) ??
              (state.closed.has(node) ? closedTo(node) : undefined));
      if (cause !== undefined) {
        lacking[cause] = (lacking[cause] ?? 0) + 1;
        return;
      }
      fitting += 1;
      const domain = state.nodes.domains[node]?.[level] ?? '';
      roomIn.set(domain, (roomIn.get(domain) ?? 0) + state.nodes.count(node, shape));
    });
    // Replicas must lie within one domain: the roomiest counts.
    const placeable = Math.max(0, ...roomIn.values());
    const named = [...bookings.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const kept = named.length === 0 ? {} : { bookings: named };
    return { group, preset: shape.preset.name, total, fitting, lacking, placeable, wanted, ...kept };
  }

  /** Whether the job could start if nothing else ran and all nodes were ready, or where that is not known. */
  #fitsEmpty(of: JobClass, sizes: readonly number[]): boolean {
    const state = this.#state;
    if (this.#empty === undefined) {
      this.#empty = new NodeTable();
      for (const spec of state.nodes.specs) {
        const pool = spec === undefined ? undefined : state.pools.get(spec.pool);
        if (spec !== undefined && pool !== undefined) this.#empty.put(spec, pool);
      }
    }
    const empty = this.#empty;
    const usable = of.groups.map(({ shape }) =>
      empty.specs.flatMap((spec, node) => {
        const pool = empty.pools[node];
        const suits = spec !== undefined && pool !== undefined && unsuitable(shape, spec, pool) === undefined;
        return suits && empty.fits(node, shape) ? [node] : [];
      }),
    );
    const { placement, policy } = state;
    const within = of.template.within ?? 'cluster';
    let proven = true;
    const pods = placeGang({
      nodes: empty,
      placement,
      groups: of.groups,
      sizes,
      usable,
      within,
      topology: policy.topology,
      onGiveUp: () => {
        proven = false;
      },
    });
    if (pods !== undefined) giveBack(empty, of.groups, pods);
    return pods !== undefined || !proven;
  }
}

function levelOf(of: JobClass): number {
  return ['node', 'nvlink', 'rack', 'zone', 'cluster'].indexOf(of.template.within ?? 'cluster');
}

function quotaReasonOf(of: JobClass, block: Block | undefined): QuotaReason | undefined {
  if (block?.kind === 'energy') {
    const { used, cap, needed } = block;
    return {
      scope: of.queue.spec.name,
      kind: of.queue.spec.kind,
      rule: 'energy',
      dimension: 'milliGpu',
      used,
      cap,
      needed,
    };
  }
  if (block?.kind !== 'quota') return undefined;
  const { scope, ...rest } = block.quota;
  return { scope: scope.spec.name, kind: scope.spec.kind, ...rest };
}

function arrayReasonOf(of: JobClass, block: Block | undefined): Reason['array'] {
  if (block?.kind !== 'array') return undefined;
  return { name: of.template.array?.name ?? '', running: block.running, cap: block.cap };
}

function codeOf(block: Block | undefined): Reason['code'] {
  switch (block?.kind) {
    case 'quota':
      return 'QuotaExhausted';
    case 'array':
      return 'ArrayLimit';
    case 'energy':
      return 'EnergyWindow';
    case 'room':
    case undefined:
      return 'NoCapacity';
  }
}
