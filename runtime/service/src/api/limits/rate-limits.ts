import type { Cache } from '../cache/cache.ts';
import { script } from '../cache/cache.ts';
import { type Pace, paceOf, type Rate, takeOne } from './rate.ts';

/** Names whose state a replica keeps; more push out those that were not seen for longest. */
const MOST_NAMES = 20_000;

/**
 * {@link takeOne} by the server's own clock, so that replicas need no common one. It answers how many microseconds there
 * are to wait. The key is gone when nothing is owed.
 */
export const TAKE_ONE = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local each, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid = tonumber(redis.call('GET', KEYS[1]) or '0')
local owed = math.min(math.max(paid - now, 0), most)
local wait = owed + each - most
if wait > 0 then return wait end
owed = owed + each
redis.call('SET', KEYS[1], string.format('%.0f', now + owed), 'PX', math.ceil(owed / 1000))
return 0
`);

export interface RateLimitsProps {
  readonly cache: Cache;
  /** Milliseconds that only grow. @default performance.now */
  readonly now?: () => number;
}

/**
 * How often somebody may ask. Each replica keeps the limit by itself, and what passes there is counted for all replicas
 * together in the cache. So a flood that one replica sees costs the cache no more than the limit, and without a cache
 * each replica goes on with a limit of the same size, and with what it has counted.
 */
export class RateLimits {
  readonly #pace: Pace;
  readonly #prefix: string;
  readonly #cache: Cache;
  readonly #now: () => number;
  readonly #own = new Map<string, number>();

  /** @param kind what is counted; keys of the cache have it */
  constructor(kind: string, rate: Rate, { cache, now = () => performance.now() }: RateLimitsProps) {
    this.#pace = paceOf(rate);
    this.#prefix = `limits:${kind}:`;
    this.#cache = cache;
    this.#now = now;
  }

  /** Counts one of this name. @returns milliseconds until there is room for one; 0 where there was */
  async take(name: string): Promise<number> {
    const wait = this.#takeOwn(name);
    if (wait > 0) return wait / 1000;
    const { each, most } = this.#pace;
    const shared = await this.#cache.run(TAKE_ONE, [this.#prefix + name], [String(each), String(most)]);
    return typeof shared === 'number' ? shared / 1000 : 0;
  }

  #takeOwn(name: string): number {
    const { paidAt, wait } = takeOne(this.#pace, this.#own.get(name) ?? 0, Math.round(this.#now() * 1000));
    // Put at the end: the first is the one that was not seen for longest.
    this.#own.delete(name);
    this.#own.set(name, paidAt);
    if (this.#own.size > MOST_NAMES) {
      const [oldest] = this.#own.keys();
      if (oldest !== undefined) this.#own.delete(oldest);
    }
    return wait;
  }
}
