import { Queue } from './queue.ts';

interface Held {
  readonly maxParallel: number;
  readonly phase: string;
}

/**
 * What `max_parallel` is counted in: the whole bake, and each call in it. The limit is the task's own: it starts where
 * fewer jobs than that are unfinished in each scope that it lies in.
 */
export class Scope<T extends Held> {
  unfinished = 0;
  /** Tasks that wait for a place here, by their limits. */
  readonly #held = new Map<number, Queue<T>>();

  hold(node: T): void {
    const queue = this.#held.get(node.maxParallel) ?? new Queue<T>();
    this.#held.set(node.maxParallel, queue);
    queue.push(node);
  }
  /** As many of those that wait as there may be places for. */
  *release(): Iterable<T> {
    for (const [limit, queue] of this.#held) {
      for (let places = limit - this.unfinished; places > 0; ) {
        const node = queue.shift();
        if (node === undefined) break;
        if (node.phase !== 'held') continue;
        places -= 1;
        yield node;
      }
      if (queue.size === 0) this.#held.delete(limit);
    }
  }
  /** All of them. */
  *releaseAll(): Iterable<T> {
    for (const queue of this.#held.values())
      for (let node = queue.shift(); node !== undefined; node = queue.shift()) if (node.phase === 'held') yield node;
    this.#held.clear();
  }
}
