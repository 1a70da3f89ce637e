/** Bytes of request bodies that may be under way: of one user, and of all. */
export interface RequestLimits {
  readonly ofUser: number;
  readonly ofAll: number;
}

/** A body takes its bytes several times over while it is parsed and written; the service has 256 MiB. */
export const MOST: RequestLimits = { ofUser: 8 * 2 ** 20, ofAll: 24 * 2 ** 20 };

interface Waiter {
  readonly user: string;
  readonly bytes: number;
  readonly enter: (release: () => void) => void;
}

/** Counts the bytes of requests that are read, parsed or worked on. */
export class RequestBudget {
  readonly #limits: RequestLimits;
  readonly #users = new Map<string, number>();
  readonly #waiting = new Set<Waiter>();
  #all = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Takes bytes for one request. @returns a function that gives them back, once; undefined where there is no room */
  take(user: string, bytes: number): (() => void) | undefined {
    const own = this.#users.get(user) ?? 0;
    if (own + bytes > this.#limits.ofUser || this.#all + bytes > this.#limits.ofAll) return undefined;
    this.#users.set(user, own + bytes);
    this.#all += bytes;
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      this.#all -= bytes;
      const left = (this.#users.get(user) ?? bytes) - bytes;
      if (left === 0) this.#users.delete(user);
      else this.#users.set(user, left);
      this.#admit();
    };
  }

  /**
   * Takes bytes as `take` does, once there is room: in the order in which they were asked for, those aside whose user has none.
   * @returns undefined where the signal came first
   */
  takeBefore(user: string, bytes: number, signal: AbortSignal): Promise<(() => void) | undefined> {
    const now = this.take(user, bytes);
    if (now !== undefined || signal.aborted) return Promise.resolve(now);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        user,
        bytes,
        enter: (release) => {
          signal.removeEventListener('abort', leave);
          resolve(release);
        },
      };
      const leave = (): void => {
        this.#waiting.delete(waiter);
        resolve(undefined);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(waiter);
    });
  }

  #admit(): void {
    for (const waiter of this.#waiting) {
      const release = this.take(waiter.user, waiter.bytes);
      if (release === undefined) continue;
      this.#waiting.delete(waiter);
      waiter.enter(release);
    }
  }
}
