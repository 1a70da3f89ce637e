/**
 * How long work tells of itself. Rooms report; the command decides how it looks (a live line on a terminal, a plain
 * line per change elsewhere). Every wait names the object, the condition and its last event.
 */
export interface Progress {
  /** A named phase of a command, timed by the receiver until the returned function is called. */
  phase(name: string): () => void;
  /** What is being done or waited for now, e.g. `Deployment delos/keycloak: 0/1 ready, Pulling image`. */
  step(text: string): void;
  /** Something a person should see even when all goes well. */
  warn(text: string): void;
}

export const silent: Progress = { phase: () => () => undefined, step: () => undefined, warn: () => undefined };
