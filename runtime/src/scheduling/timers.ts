import type { JobClass } from './entities.ts';

interface Entry<T> {
  readonly at: number;
  readonly what: T;
}

/** Things by instant, the earliest first: a binary heap. */
class Agenda<T> {
  readonly #entries: Entry<T>[] = [];

  get next(): number | undefined {
    return this.#entries[0]?.at;
  }

  get size(): number {
    return this.#entries.length;
  }

  add(at: number, what: T): void {
    const entries = this.#entries;
    let place = entries.push({ at, what }) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = entries[above] as Entry<T>;
      if (parent.at <= at) break;
      entries[place] = parent;
      entries[above] = { at, what };
      place = above;
    }
  }

  /** Takes out what is due at an instant. */
  take(now: number): readonly T[] {
    const due: T[] = [];
    while ((this.next ?? Infinity) <= now) due.push(this.#pop());
    return due;
  }

  #pop(): T {
    const entries = this.#entries;
    const first = entries[0] as Entry<T>;
    const last = entries.pop() as Entry<T>;
    if (entries.length > 0) {
      let place = 0;
      for (;;) {
        let below = 2 * place + 1;
        if (below >= entries.length) break;
        if ((entries[below + 1]?.at ?? Infinity) < (entries[below] as Entry<T>).at) below += 1;
        if ((entries[below] as Entry<T>).at >= last.at) break;
        entries[place] = entries[below] as Entry<T>;
        place = below;
      }
      entries[place] = last;
    }
    return first.what;
  }
}

/** What becomes due as time passes. Entries may be out of date when they come up: who takes them looks again. */
export class Timers {
  readonly #wakes = new Agenda<JobClass>();
  readonly #wakeOf = new Map<JobClass, number>();
  readonly timeouts = new Agenda<string>();
  readonly drains = new Agenda<string>();
  /** Instants at which all that waits for an energy window looks again. */
  readonly windows = new Agenda<null>();
  readonly reservations = new Agenda<null>();
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

  next(): number | undefined {
    const agendas = [
      this.#wakes,
      this.timeouts,
      this.drains,
      this.windows,
      this.reservations,
      this.bookings,
      this.movable,
    ];
    const all = agendas.map(({ next }) => next);
    const least = Math.min(...all.map((at) => at ?? Infinity));
    return least === Infinity ? undefined : least;
  }
}
