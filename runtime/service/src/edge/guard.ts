/*
 * The one guarded edge. Whatever comes from outside (a request, an upgrade, a frame, a notification, a tick of a timer)
 * reaches our code through here, so that an error in one handler never ends the process that serves all others.
 */

/**
 * Makes a handler that never throws and never rejects. An error, now or later, goes to `failed` with the handler's
 * arguments: it logs, and ends the one connection that the error came from.
 */
export function guard<A extends readonly unknown[]>(
  handler: (...args: A) => unknown,
  failed: (error: unknown, ...args: A) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      const result = handler(...args);
      if (result instanceof Promise) result.catch((error: unknown) => failed(error, ...args));
    } catch (error) {
      failed(error, ...args);
    }
  };
}

/** What a guarded timer and a guarded promise report to. Pino's loggers are one. */
export interface ErrorLog {
  readonly error: (facts: { readonly error: unknown }, message: string) => void;
}

/** Runs `body` every `ms` milliseconds. One that fails is logged; the next one comes. @returns a function that ends it */
export function every(ms: number, log: ErrorLog, what: string, body: () => unknown): () => void {
  const timer = setInterval(
    guard(body, (error) => log.error({ error }, `${what} failed`)),
    ms,
  );
  return () => clearInterval(timer);
}

/** Starts work that nobody waits for. Its failure is logged. */
export function detach(log: ErrorLog, what: string, body: () => Promise<unknown>): void {
  guard(body, (error) => log.error({ error }, `${what} failed`))();
}
