/** The most that is saved up, whatever the rate: it is held in memory at once. */
const MOST_BYTES = 4 * 2 ** 20;
/** What is saved up is worth this long. */
const SAVED_SECONDS = 30;
/** A log over its limit is carried on when so much may be sent. */
export const WORTH_BYTES = 16 * 1024;
/** How often it is looked whether that is so. */
export const SAVING_MS = 1_000;

/**
 * Bytes that a log over its limit may still bring. Half of what is saved up is kept for the log's end, which its readers
 * want most.
 */
export class Allowance {
  readonly #now: () => number;
  #rate = 0;
  #saved = 0;
  #at = 0;

  /** @param now milliseconds */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#at = now();
  }

  /** Bytes a second. */
  setRate(rate: number): void {
    if (this.#rate === 0) {
      this.#saved = Math.min(MOST_BYTES, rate * SAVED_SECONDS);
      this.#at = this.#now();
    }
    this.#rate = rate;
  }

  /** Bytes that may be sent now. @param last nothing comes after them */
  available(last: boolean): number {
    const most = Math.min(MOST_BYTES, this.#rate * SAVED_SECONDS);
    const now = this.#now();
    this.#saved = Math.min(most, this.#saved + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    return Math.max(0, Math.floor(last ? this.#saved : this.#saved - most / 2));
  }

  /** They were sent; more than there was has to be saved up again. */
  take(bytes: number): void {
    this.#saved -= bytes;
  }
}
