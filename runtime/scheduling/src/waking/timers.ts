import type { JobClass } from '../state/entities.ts';
import { Agenda } from './agenda.ts';

/** What becomes due as time passes. An entry may be out of date by then: whoever takes it checks again. */
export class Timers {
  readonly #wakes = new Agenda<JobClass>();
  readonly #wakeOf = new Map<JobClass, number>();
  readonly timeouts = new Agenda<string>();
  readonly drains = new Agenda<string>();
  /** Instants at which all that waits for an energy window looks again. */
  readonly windows = new Agenda<null>();
  /** Begins and ends of reservations by name. */
  readonly bookings = new Agenda<string>();
  /** Instants at which running jobs may be moved or grow that could not before. */
  readonly movable = new Agenda<null>();

  /** A class is to be woken at an instant; of several the earliest counts. */
  wakeAt(of: JobClass, at: number): void {
    if ((this.#wakeOf.get(of) ?? Infinity) <= at) return;
    this.#wakeOf.set(of, at);
    this.#wakes.add(at, of);
  }

  takeWakes(now: number): readonly JobClass[] {
    const due = this.#wakes.take(now);
    for (const of of due) this.#wakeOf.delete(of);
    return due;
  }

  /** The next instant at which something is due, here or among those that others keep. */
  next(...others: readonly (number | undefined)[]): number | undefined {
    const agendas = [this.#wakes, this.timeouts, this.drains, this.windows, this.bookings, this.movable];
    const all = agendas.map(({ next }) => next);
    const least = Math.min(...[...others, ...all].map((at) => at ?? Infinity));
    return least === Infinity ? undefined : least;
  }
}
