import type { Block } from '../deciding/admission.ts';
import type { JobClass } from '../state/entities.ts';
import { countsUnder, isWithin } from '../state/scope-tree.ts';
import type { SchedulerState } from '../state/state.ts';
import { mayUseClosed } from '../waking/closed.ts';
import { type EarliestStart, earliestStart } from './forecast.ts';
import type { Expected } from './reason.ts';

/**
 * When waiting jobs are expected to start, and on what basis. It answers for one state, as it is after a cycle, and
 * keeps what it finds out.
 */
export class Expectations {
  readonly #state: SchedulerState;
  readonly #rooms = new Map<string, Expected>();

  constructor(state: SchedulerState) {
    this.#state = state;
  }

  /** A job needs quota and room. Further ends of jobs take away neither, so the later of the two counts. */
  of(of: JobClass, block: Block | undefined, room: boolean): Expected {
    const waits = [
      ...(block === undefined ? [] : [this.#whenAllowed(of, block)]),
      ...(room ? [] : [this.#whenRoom(of)]),
    ];
    const unknown = waits.find((each) => each.at === undefined);
    if (unknown !== undefined) return unknown;
    const last = waits.sort((a, b) => (b.at ?? 0) - (a.at ?? 0))[0];
    if (last?.at === undefined) return { at: this.#state.now, basis: 'at the next cycle' };
    return this.#hasRoomAt(of, last.at) ? last : (this.#afterKept(of) ?? this.#afterBookings(of));
  }

  /**
   * Whether the job may still use that room when its quotas allow it: a reservation or a drain may be nearer then.
   */
  #hasRoomAt(of: JobClass, instant: number): boolean {
    const state = this.#state;
    if (state.closed.size === 0 || instant <= state.now) return true;
    const { now } = state;
    state.now = instant;
    const start = earliestStart(state, of, { quotas: false, room: true });
    state.now = now;
    return start !== undefined && (start.after === 0 || (start.at ?? Infinity) <= instant);
  }

  #whenRoom(of: JobClass): Expected {
    const { within, lifeSpanMs, queue } = of.template;
    // Who may use nodes that are kept depends on the queue and the life-span as well.
    const { closed: shut, held } = this.#state;
    const closed = shut.size > 0 ? [queue, lifeSpanMs ?? 0, held?.of === of] : [];
    const key = JSON.stringify([of.groups.map(({ shape, min }) => [shape.key, min]), within ?? '', ...closed]);
    const known = this.#rooms.get(key);
    if (known !== undefined) return known;
    const start = earliestStart(this.#state, of, { quotas: false, room: true });
    const found: Expected =
      start === undefined || !this.#isOpenThen(of, start)
        ? (this.#afterKept(of) ?? this.#afterBookings(of))
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

  /**
   * Where only the nodes that are kept for another job are missing: that job goes first, and what follows is not known.
   */
  #afterKept(of: JobClass): Expected | undefined {
    const state = this.#state;
    const { held } = state;
    if (held === undefined || held.of === of) return undefined;
    state.held = undefined;
    const start = earliestStart(state, of, { quotas: false, room: true });
    const open = start !== undefined && this.#isOpenThen(of, start);
    state.held = held;
    return open ? { at: undefined, basis: 'the room is kept for a job that has waited longer' } : undefined;
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
      const at = start?.at === undefined ? undefined : Math.max(start.at, last.until);
      const open = start !== undefined && this.#isOpenThen(of, { ...start, at });
      for (const each of against) state.bookings.set(each.spec.name, each);
      if (open) {
        const ends = start.after === 0 ? '' : ` and ${haveEnded(start.after)}`;
        return { at, basis: `room when reservation ${last.name} is over${ends}` };
      }
    }
    return { at: undefined, basis: 'missing nodes must come back first' };
  }

  #whenAllowed(of: JobClass, block: Block): Expected {
    const state = this.#state;
    if (block.kind === 'energy') return { at: block.until, basis: 'the energy window ends' };
    // What guarantees leave to others depends on all jobs, everything else on those of the same organization and person.
    const top = of.queue.path.at(-1);
    const start = earliestStart(state, of, {
      quotas: true,
      room: false,
      among: (job) =>
        state.hasGuarantees ||
        of.queue.charged.some(
          (scope) => (scope === top || scope.spec.kind === 'person') && countsUnder(job.of.queue, scope),
        ),
    });
    if (start === undefined) return { at: undefined, basis: 'the quota would have to be raised' };
    return start.at === undefined
      ? { at: undefined, basis: mustEnd(start.after, ' under it') }
      : { at: start.at, basis: `quota is free when ${haveEnded(start.after)}` };
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

export function expectedText({ at: instant, basis }: Expected): string {
  return instant === undefined ? basis : `${new Date(instant).toISOString()} (${basis})`;
}
