import { type Block, blockOf, gangRequest, placeJob, shrunk } from './admission.ts';
import { bookingAgainst } from './bookings.ts';
import type { GroupNeed, JobClass } from './entities.ts';
import { type EarliestStart, earliestStart } from './forecast.ts';
import { mayUseClosed } from './held.ts';
import { amountsOf } from './job-class.ts';
import { NodeTable } from './node-table.ts';
import { giveBack, placeGang } from './policies/gang.ts';
import {
  type BookingReason,
  type Expected,
  type NodeCause,
  type NodesReason,
  nodesText,
  type QuotaReason,
  quotaText,
  type Reason,
  remedyText,
} from './reason.ts';
import { remediesFor } from './remedies.ts';
import { isWithin, pathOf } from './scope-tree.ts';
import { type Unsuitable, unsuitable } from './shapes.ts';
import type { SchedulerState } from './state.ts';

type ClassReason = Omit<Reason, 'job' | 'ahead'>;

/**
 * Answers why jobs wait, for the state as it is after a cycle. What it finds out it keeps for jobs of the same class, so
 * use one for all questions about one state and then no more.
 */
export class Explainer {
  readonly #state: SchedulerState;
  readonly #classes = new Map<JobClass, ClassReason>();
  readonly #rooms = new Map<string, Expected>();
  #empty: NodeTable | undefined;

  constructor(state: SchedulerState) {
    this.#state = state;
  }

  /** Undefined where the job does not wait. */
  explain(id: string): Reason | undefined {
    const { state } = { state: this.#state };
    const slot = state.jobs.slotOf(id);
    if (slot === undefined || state.running.has(slot)) return undefined;
    const of = state.jobs.classOf(slot);
    let reason = this.#classes.get(of);
    if (reason === undefined) {
      reason = this.#reasonOf(of);
      this.#classes.set(of, reason);
    }
    return { job: id, ahead: of.pending.peek() === slot ? 0 : this.#ahead(of, slot), ...reason };
  }

  #ahead(of: JobClass, slot: number): number {
    let ahead = 0;
    for (const other of of.pending.values()) if (this.#state.jobs.before(other, slot)) ahead += 1;
    return ahead;
  }

  #reasonOf(of: JobClass): ClassReason {
    const state = this.#state;
    const least = leastSizes(of);
    const amounts = amountsOf(of.groups, least);
    const block = blockOf(state, of, amounts);
    const { has: room, proven } = this.#room(of, least);
    const nodes = room ? [] : of.groups.map((group, g) => this.#nodesReason(of, group, g, least[g] ?? 0));
    const short = nodes.filter(({ placeable, wanted }) => placeable < wanted);
    const together = !room && short.length === 0;
    const quota = quotaReasonOf(of, block);
    const array = arrayReasonOf(of, block);
    const tooMuch = quota !== undefined && quota.needed > quota.cap;
    const tooLarge = !room && !this.#fitsEmpty(of, least);
    const remedies = block?.kind === 'array' ? [] : remediesFor(state, of);
    const expected =
      tooMuch || tooLarge ? { at: undefined, basis: 'never, as things are' } : this.#expected(of, block, room);
    const parts = [
      quota === undefined ? '' : quotaText(quota),
      array === undefined ? '' : `array ${array.name} runs ${array.running} jobs, its limit is ${array.cap}`,
      ...(together ? ['each group of replicas has room, all together have not'] : short.map(nodesText)),
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

  /** Whether the job could start if nothing else ran and all nodes were ready. */
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
    const pods = placeGang({
      nodes: empty,
      placement,
      groups: of.groups,
      sizes,
      usable,
      within,
      topology: policy.topology,
    });
    if (pods !== undefined) giveBack(empty, of.groups, pods);
    return pods !== undefined;
  }

  /** Both quotas and room must be there, and more ends never take either away: the later of the two. */
  #expected(of: JobClass, block: Block | undefined, room: boolean): Expected {
    const waits = [
      ...(block === undefined ? [] : [this.#whenAllowed(of, block)]),
      ...(room ? [] : [this.#whenRoom(of)]),
    ];
    const unknown = waits.find((each) => each.at === undefined);
    if (unknown !== undefined) return unknown;
    return waits.sort((a, b) => (b.at ?? 0) - (a.at ?? 0))[0] ?? { at: this.#state.now, basis: 'at the next cycle' };
  }

  #whenRoom(of: JobClass): Expected {
    const { within, lifeSpanMs, queue } = of.template;
    // Who may use nodes that are kept depends on the queue and the life-span as well.
    const closed = this.#state.closed.size > 0 ? [queue, lifeSpanMs ?? 0] : [];
    const key = JSON.stringify([of.groups.map(({ shape, min }) => [shape.key, min]), within ?? '', ...closed]);
    const known = this.#rooms.get(key);
    if (known !== undefined) return known;
    const start = earliestStart(this.#state, of, { quotas: false, room: true });
    const found: Expected =
      start === undefined || !this.#isOpenThen(of, start)
        ? this.#afterBookings(of)
        : start.at === undefined
          ? { at: undefined, basis: mustEnd(start.after, '') }
          : {
              at: start.at,
              basis: `room on ${start.nodes.length === 1 ? 'a node' : `${start.nodes.length} nodes`} when ${haveEnded(start.after)}`,
            };
    this.#rooms.set(key, found);
    return found;
  }

  /** Whether nodes that will have room may still be used then: a reservation or a drain may be nearer by that time. */
  #isOpenThen(of: JobClass, { at, nodes }: EarliestStart): boolean {
    const state = this.#state;
    if (at === undefined || at <= state.now) return true;
    const { now } = state;
    state.now = at;
    const open = nodes.every((node) => !state.closed.has(node) || mayUseClosed(state, node, of));
    state.now = now;
    return open;
  }

  /** When it has room once no nodes are reserved any more. */
  #afterBookings(of: JobClass): Expected {
    const state = this.#state;
    const against = [...state.bookings.values()].filter(({ scope }) => !isWithin(of.queue, scope));
    const specs = against.map(({ spec }) => spec).sort((a, b) => b.until - a.until || (a.name < b.name ? -1 : 1));
    const [last] = specs;
    if (last !== undefined) {
      for (const { name } of specs) state.bookings.delete(name);
      const start = earliestStart(state, of, { quotas: false, room: true });
      for (const each of against) state.bookings.set(each.spec.name, each);
      if (start !== undefined) {
        const at = start.at === undefined ? undefined : Math.max(start.at, last.until);
        const ends = start.after === 0 ? '' : ` and ${haveEnded(start.after)}`;
        return { at, basis: `room when reservation ${last.name} is over${ends}` };
      }
    }
    return { at: undefined, basis: 'nodes are missing that would have to come back first' };
  }

  #whenAllowed(of: JobClass, block: Block): Expected {
    const state = this.#state;
    if (block.kind === 'energy') return { at: block.until, basis: 'the energy window ends' };
    // What guarantees leave to others depends on all jobs, everything else on those of the same organization.
    const top = pathOf(of.queue).at(-1);
    const start = earliestStart(state, of, {
      quotas: true,
      room: false,
      among: (job) => state.hasGuarantees || (top !== undefined && isWithin(job.of.queue, top)),
    });
    if (start === undefined) return { at: undefined, basis: 'the quota would have to be raised' };
    return start.at === undefined
      ? { at: undefined, basis: mustEnd(start.after, ' under it') }
      : { at: start.at, basis: `quota is free when ${haveEnded(start.after)}` };
  }
}

function leastSizes(of: JobClass): readonly number[] {
  return shrunk(
    of,
    of.groups.reduce((sum, { count, min }) => sum + count - min, 0),
  );
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

function haveEnded(jobs: number): string {
  return jobs === 1
    ? '1 running job has ended by its life-span'
    : `${jobs} running jobs have ended by their life-spans`;
}

function mustEnd(jobs: number, where: string): string {
  return jobs === 1
    ? `1 running job${where} must end first, and it has no life-span`
    : `${jobs} running jobs${where} must end first, one of them without a life-span`;
}

function expectedText({ at: instant, basis }: Expected): string {
  return instant === undefined ? basis : `${new Date(instant).toISOString()} (${basis})`;
}
