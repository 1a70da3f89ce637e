import { createHash } from 'node:crypto';

/*
 * What replicas share and may lose. Whoever asks the cache gets an answer within a bounded time, or learns that there is
 * none, and then does without. Nothing here throws, and nothing waits for the cache to come.
 */

/** What the server answers to the commands that are used here. */
export type Reply = string | number | null | readonly Reply[];

/** A program that the server runs as one step. */
export interface Script {
  readonly source: string;
  readonly sha1: string;
}

export const script = (source: string): Script => ({
  source,
  sha1: createHash('sha1').update(source).digest('hex'),
});

export interface Cache {
  /** One command. Undefined where it was not done, or nobody knows whether it was. */
  readonly command: (...args: readonly string[]) => Promise<Reply | undefined>;
  /** One run of a script. Undefined where it was not done, or nobody knows whether it was. */
  readonly run: (program: Script, keys: readonly string[], args: readonly string[]) => Promise<Reply | undefined>;
  readonly close: () => Promise<void>;
}

/** For a platform without one. */
export const NO_CACHE: Cache = {
  command: async () => undefined,
  run: async () => undefined,
  close: async () => undefined,
};
