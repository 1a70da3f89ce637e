/** Bytes of request bodies that may be under way: of one user, and of all. */
export interface RequestLimits {
  readonly ofUser: number;
  readonly ofAll: number;
}

/** A body takes its bytes several times over while it is parsed and written; the service has 256 MiB. */
export const MOST: RequestLimits = { ofUser: 8 * 2 ** 20, ofAll: 24 * 2 ** 20 };

/** Counts the bytes of bodies that are read, parsed or worked on. */
export class RequestBudget {
  readonly #limits: RequestLimits;
  readonly #users = new Map<string, number>();
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
    };
  }
}
