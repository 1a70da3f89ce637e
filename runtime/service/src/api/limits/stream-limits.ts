import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import { detach, every } from '../../edge/guard.ts';
import { script } from '../cache/cache.ts';
import type { ApiDeps, Caller } from '../deps.ts';

/** A stream that nobody speaks for any more counts for so long: its replica was killed, or the cache was away. */
const LEASE_MS = 60_000;
const RENEW_MS = 20_000;

export interface LeaseTimes {
  readonly leaseMs: number;
  readonly renewMs: number;
}

/** Lets one more stream in, if there are fewer than the most whose leases hold. By the server's own clock. */
const OPEN = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`);

/** Holds on to streams, also where the server has lost them. */
const RENEW = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`);

const keyOf = (user: number): string => `streams:${user}`;

/**
 * How many streams a user has open at once. Each replica counts its own; all of them together are counted in the cache,
 * where a stream holds a lease that its replica renews. A lease that nobody renews ends, so a killed replica leaves
 * nothing behind, and a server that has lost all of them learns of them again.
 */
export class StreamLimits {
  readonly #most: number;
  readonly #deps: Pick<ApiDeps, 'cache' | 'log'>;
  readonly #open = new Map<number, Set<string>>();
  readonly #lease: string;
  readonly #end: () => void;

  constructor(
    most: number,
    deps: Pick<ApiDeps, 'cache' | 'log'>,
    { leaseMs, renewMs }: LeaseTimes = { leaseMs: LEASE_MS, renewMs: RENEW_MS },
  ) {
    this.#most = most;
    this.#lease = String(leaseMs);
    this.#deps = deps;
    this.#end = every(renewMs, deps.log, 'renewing the leases of streams', () => this.#renew());
  }

  /** Counts one more stream of a user. @returns a function that takes it back, once @throws DelosError ERR_BUSY */
  async take({ id: user, user: name }: Pick<Caller, 'id' | 'user'>): Promise<() => void> {
    const own = this.#open.get(user) ?? new Set<string>();
    if (own.size >= this.#most) throw this.#tooMany(name);
    const stream = randomUUID();
    own.add(stream);
    this.#open.set(user, own);
    const release = (): void => {
      if (!own.delete(stream)) return;
      if (own.size === 0) this.#open.delete(user);
      detach(this.#deps.log, 'ending the lease of a stream', () =>
        this.#deps.cache.command('ZREM', keyOf(user), stream),
      );
    };
    const args = [this.#lease, String(this.#most), stream];
    if ((await this.#deps.cache.run(OPEN, [keyOf(user)], args)) !== 0) return release;
    release();
    throw this.#tooMany(name);
  }

  close(): void {
    this.#end();
  }

  async #renew(): Promise<void> {
    for (const [user, streams] of this.#open) {
      await this.#deps.cache.run(RENEW, [keyOf(user)], [this.#lease, ...streams]);
    }
  }

  #tooMany(name: string): DelosError {
    return new DelosError('ERR_BUSY', `${name} has ${this.#most} streams open, the most at once`, {
      hint: 'close those that nobody reads, and try again',
    });
  }
}
