import type { Logger } from 'pino';

/*
 * For errors that no guard caught (docs: guard.ts): a callback inside a library, a promise that nobody listens to.
 *
 * The process goes on. What failed was one detached piece of work; rows in PostgreSQL and objects in Kubernetes are the
 * state, and everything in memory is derived from them. To end here would let one input of one user end the service for
 * all. Errors that come one upon another are different: then the process itself is broken, and a new one is better.
 */

/** More unguarded errors than this within {@link WINDOW_MS} end the process. */
export const MOST_ERRORS = 50;
export const WINDOW_MS = 60_000;

/** Decides about unguarded errors by how many there were lately. Remembers at most {@link MOST_ERRORS} moments. */
export class LastResort {
  readonly #times: number[] = [];

  decide(now: number): 'go on' | 'end' {
    while (this.#times[0] !== undefined && now - this.#times[0] >= WINDOW_MS) this.#times.shift();
    if (this.#times.length >= MOST_ERRORS) return 'end';
    this.#times.push(now);
    return 'go on';
  }
}

/** Takes the process's unguarded errors. `end` is called when it is time to end. */
export function installLastResort(log: Logger, end: () => void): void {
  const lastResort = new LastResort();
  const take = (error: unknown, origin: string): void => {
    const decision = lastResort.decide(performance.now());
    log.fatal({ error, origin, decision }, 'an error that no handler caught; this is a fault of the service');
    if (decision === 'end') end();
  };
  process.on('uncaughtException', take);
  process.on('unhandledRejection', (error) => take(error, 'unhandledRejection'));
}
