import { Queue } from '../state/queue.ts';

/**
 * Who is next, where several groups wait: each group in turn, and within one whoever came first. So a group with
 * thousands of items does not hold up one with a single item.
 */
export class FairQueue<T> {
  /** In the order of their turns. */
  readonly #groups = new Map<string, Queue<T>>();
  readonly #there = new Set<T>();

  get size(): number {
    return this.#there.size;
  }

  has(item: T): boolean {
    return this.#there.has(item);
  }

  /** An item that waits already keeps its place. */
  push(group: string, item: T): void {
    if (this.#there.has(item)) return;
    this.#there.add(item);
    let queue = this.#groups.get(group);
    if (queue === undefined) {
      queue = new Queue();
      this.#groups.set(group, queue);
    }
    queue.push(item);
  }

  shift(): T | undefined {
    for (const [group, queue] of this.#groups) {
      const item = queue.shift();
      this.#groups.delete(group);
      if (queue.size > 0) this.#groups.set(group, queue);
      if (item === undefined) continue;
      this.#there.delete(item);
      return item;
    }
    return undefined;
  }
}
