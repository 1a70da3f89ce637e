import type { Logger } from 'pino';
import { detach } from '../edge/guard.ts';

/** Works on things: one piece of work at a time for each, a bounded number at once. */
export class Workers<T> {
  readonly #work: (item: T) => Promise<void>;
  readonly #what: string;
  readonly #log: Logger;
  readonly #most: number;
  readonly #waiting: T[] = [];
  /** Those that wait or are worked on. */
  readonly #busy = new Set<T>();
  readonly #again = new Set<T>();
  #working = 0;

  /** @param what for the log: `working on a job` */
  constructor(work: (item: T) => Promise<void>, what: string, log: Logger, most = 16) {
    this.#work = work;
    this.#what = what;
    this.#log = log;
    this.#most = most;
  }

  /** There is something to do about it; where it is being worked on, again after that. */
  wake(item: T): void {
    if (this.#busy.has(item)) {
      this.#again.add(item);
      return;
    }
    this.#busy.add(item);
    this.#waiting.push(item);
    this.#next();
  }

  #next(): void {
    while (this.#working < this.#most) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      this.#working += 1;
      // What wakes it from now on is news.
      this.#again.delete(item);
      detach(this.#log, this.#what, () => this.#work(item).finally(() => this.#worked(item)));
    }
  }

  #worked(item: T): void {
    this.#working -= 1;
    this.#busy.delete(item);
    if (this.#again.delete(item)) this.wake(item);
    this.#next();
  }
}
