interface Entry<T> {
  readonly at: number;
  readonly what: T;
}

/** Things by instant, the earliest first: a binary heap. */
export class Agenda<T> {
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
