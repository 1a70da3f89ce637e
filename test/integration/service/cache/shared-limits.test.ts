import { setTimeout as sleep } from 'node:timers/promises';
import { controlApi } from '@delos/constructs';
import { platformConfig } from '@delos/core';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cache, NO_CACHE } from '../../../../runtime/service/src/api/cache/cache.ts';
import { COMMAND_MS, RedisCache } from '../../../../runtime/service/src/api/cache/redis-cache.ts';
import { StreamLimits } from '../../../../runtime/service/src/api/limits/stream-limits.ts';
import type { Database } from '../../../../runtime/service/src/db/database.ts';
import {
  startControlApi,
  startIssuer,
  TEST_CONFIG,
  type TestApi,
  type TestIssuer,
} from '../../../support/service/control-api.ts';
import { quiet, startPostgres, type TestPostgres } from '../../../support/service/postgres.ts';
import { startRedis, type TestRedis } from '../../../support/service/redis.ts';
import { until } from '../../../support/until.ts';

/* Replicas of the control API, each with its own connection to one real Redis, as the platform's user of it. */

const USER = controlApi.name;
const ACCESS = controlApi.cache ?? { commands: [], keys: [] };
const LIMITS = { perSecond: 2, burst: 20 };
const CONFIG = platformConfig.parse({ ...TEST_CONFIG, requests: { ofUser: LIMITS, ofSource: { burst: 10_000 } } });

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let redis: TestRedis;
const caches: Cache[] = [];
const replicas: TestApi[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
});
afterAll(async () => {
  await issuer.stop();
  await database.close();
  await postgres.stop();
});
beforeEach(async () => {
  redis = await startRedis({ [USER]: ACCESS, flood: { commands: ['set'], keys: ['flood:*'] } }, { maxMemory: '8mb' });
});
afterEach(async () => {
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  await redis.stop();
});

/** A machine that is busy with other tests is no reason to give a command up: so `commandMs`. */
function cacheOf(password = redis.password(USER), commandMs = 5_000, metrics = new Registry()): RedisCache {
  const settings = { host: '127.0.0.1', port: redis.port, username: USER, password };
  const cache = new RedisCache(settings, { log: quiet, metrics }, commandMs);
  caches.push(cache);
  return cache;
}

const connected = (cache: Cache): Promise<unknown> =>
  until('the cache answers', 15, async () => ((await cache.command('PING')) === 'PONG' ? true : undefined));

async function replica(cache: Cache = cacheOf(), config = CONFIG): Promise<TestApi> {
  if (cache !== NO_CACHE) await connected(cache);
  const started = await startControlApi(database, issuer, config, 'default', { cache });
  replicas.push(started);
  return started;
}

interface Seen {
  readonly status: number;
  readonly ms: number;
}

/** So many requests of one user, in turn over these replicas, eight at a time. */
async function ask(user: string, count: number, over: readonly TestApi[]): Promise<readonly Seen[]> {
  const token = await issuer.token(user);
  const seen: Seen[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const from = performance.now();
      const url = over[index % over.length]?.url ?? '';
      const response = await fetch(`${url}/api/v1/config`, { headers: { authorization: `Bearer ${token}` } });
      await response.arrayBuffer();
      seen.push({ status: response.status, ms: performance.now() - from });
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return seen;
}

const passed = (seen: readonly Seen[]): number => seen.filter(({ status }) => status === 200).length;
const others = (seen: readonly Seen[]): readonly number[] =>
  [...new Set(seen.map(({ status }) => status))].filter((status) => status !== 200 && status !== 429);
const slowest = (seen: readonly Seen[]): number => Math.max(...seen.map(({ ms }) => ms));

describe('two replicas', () => {
  test('let through, both together, as much as the limit', async () => {
    const both = [await replica(), await replica()];
    const from = performance.now();
    const seen = await ask('alice', 80, both);
    const brought = ((performance.now() - from) / 1000) * LIMITS.perSecond;
    expect(passed(seen)).toBeGreaterThanOrEqual(LIMITS.burst);
    expect(passed(seen)).toBeLessThanOrEqual(LIMITS.burst + brought + 1);
    expect(others(seen)).toEqual([]);
    // Another user is another matter.
    expect(passed(await ask('bob', 5, both))).toBe(5);
  });

  test('without a cache keep the same limit, each by itself', async () => {
    const both = [await replica(NO_CACHE), await replica(NO_CACHE)];
    expect(passed(await ask('alice', 80, both))).toBeGreaterThanOrEqual(2 * LIMITS.burst);
  });

  test('say who asks too often, and when there is room again; then there is', async () => {
    const both = [await replica(), await replica()];
    await ask('alice', 40, both);
    const refused = await until('a refusal', 20, async () => {
      const answer = await both[0]?.request('alice', 'GET', '/config');
      return answer?.status === 429 ? answer : undefined;
    });
    expect(refused).toMatchObject({
      json: { code: 'ERR_TOO_MANY_REQUESTS', error: expect.stringMatching(/^alice asks too often; try again in 1 s/) },
    });
    const wait = Number(refused.headers.get('retry-after'));
    expect(wait).toBe(1);
    await sleep(wait * 1000);
    expect(await both[1]?.request('alice', 'GET', '/config')).toMatchObject({ status: 200 });
  });

  test('count a source before its token is looked at, by the address that the gateway tells', async () => {
    const config = platformConfig.parse({ ...CONFIG, requests: { ofSource: { perSecond: 1, burst: 5 } } });
    const both = [await replica(undefined, config), await replica(undefined, config)];
    const statuses = async (address: string): Promise<readonly number[]> => {
      const answers: number[] = [];
      for (let index = 0; index < 8; index += 1) {
        const headers = { 'x-forwarded-for': address, authorization: 'Bearer nonsense' };
        answers.push((await fetch(`${both[index % 2]?.url}/api/v1/jobs`, { headers })).status);
      }
      return answers;
    };
    expect(await statuses('203.0.113.7')).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
    expect((await statuses('203.0.113.8'))[0]).toBe(401);
    expect(await statuses('2001:db8::1')).toContain(429);
    // The same customer's /64.
    expect((await statuses('2001:db8::2'))[0]).toBe(429);
  });
});

describe('losing the cache loses nothing', () => {
  /** Every request has an answer, in time, and the limit of each replica still holds. */
  async function served(over: readonly TestApi[], user: string): Promise<readonly Seen[]> {
    const seen = await ask(user, 100, over);
    expect(seen).toHaveLength(100);
    expect(others(seen)).toEqual([]);
    expect(passed(seen)).toBeGreaterThanOrEqual(LIMITS.burst);
    expect(passed(seen)).toBeLessThan(100);
    return seen;
  }

  test('when it is killed while requests run; afterwards the limit is shared again', async () => {
    const both = [await replica(), await replica()];
    const running = served(both, 'alice');
    await sleep(20);
    await redis.kill();
    expect(slowest(await running)).toBeLessThan(2_000);
    expect(slowest(await served(both, 'bob'))).toBeLessThan(2_000);
    await redis.start();
    await Promise.all(caches.map(connected));
    expect(passed(await ask('rita', 80, both))).toBeLessThan(2 * LIMITS.burst);
  });

  test('when it hangs: a command is waited for once, and then nothing is until it answers again', async () => {
    const metrics = new Registry();
    const one = await replica(cacheOf(redis.password(USER), COMMAND_MS, metrics));
    redis.freeze();
    try {
      const seen = await served([one], 'alice');
      expect(slowest(seen)).toBeLessThan(2_000);
      const counted = await metrics.getSingleMetricAsString('delos_cache_failures_total');
      const waited = Number(/why="slow"} (\d+)$/m.exec(counted)?.[1] ?? 0);
      expect(waited).toBeGreaterThan(0);
      // What was under way when it was found out, of a hundred requests that each ask twice.
      expect(waited).toBeLessThanOrEqual(16);
    } finally {
      redis.thaw();
    }
    await Promise.all(caches.map(connected));
  });

  test('when it does not know the user, or gives it no rights', async () => {
    const stranger = cacheOf('not-the-password');
    const api = await startControlApi(database, issuer, CONFIG, 'default', { cache: stranger });
    replicas.push(api);
    await served([api], 'alice');
    await redis.stop();
    redis = await startRedis({ [USER]: { commands: ['ping'], keys: ['nothing:*'] } });
    const refused = await replica();
    await served([refused], 'bob');
  });

  test('when others fill it up', async () => {
    const both = [await replica(), await replica()];
    const filler = new RedisCache(
      { host: '127.0.0.1', port: redis.port, username: 'flood', password: redis.password('flood') },
      { log: quiet, metrics: new Registry() },
    );
    caches.push(filler);
    await until('the filler is in', 15, async () =>
      (await filler.command('SET', 'flood:0', '')) === 'OK' ? true : undefined,
    );
    let filling = true;
    const flood = (async () => {
      for (let key = 0; filling; key += 1) await filler.command('SET', `flood:${key}`, 'x'.repeat(65_536));
    })();
    const seen = await ask('alice', 80, both);
    filling = false;
    await flood;
    expect(others(seen)).toEqual([]);
    // Those who ask are the ones used last: their counts are not pushed out.
    expect(passed(seen)).toBeLessThan(2 * LIMITS.burst);
  });
});

describe('streams of one user', () => {
  const alice = { id: 7, user: 'alice' };

  test('are counted over all replicas, and one that ends makes room on any', async () => {
    const [a, b] = [
      new StreamLimits(4, { cache: cacheOf(), log: quiet }),
      new StreamLimits(4, { cache: cacheOf(), log: quiet }),
    ];
    await Promise.all(caches.map(connected));
    const release = await a.take(alice);
    for (const limits of [a, b, b]) await limits.take(alice);
    for (const limits of [a, b]) await expect(limits.take(alice)).rejects.toThrow('alice has 4 streams open, the most');
    await a.take({ id: 8, user: 'bob' });
    release();
    release();
    await until('there is room', 5, () => b.take(alice).catch(() => undefined));
    await expect(a.take(alice)).rejects.toThrow('the most at once');
    a.close();
    b.close();
  });

  test('of a replica that was killed stop to count, those of one that lives do not', async () => {
    const times = { leaseMs: 1_000, renewMs: 200 };
    const killed = new StreamLimits(2, { cache: cacheOf(), log: quiet }, times);
    const lives = new StreamLimits(2, { cache: cacheOf(), log: quiet }, times);
    await Promise.all(caches.map(connected));
    await killed.take(alice);
    await lives.take(alice);
    killed.close();
    await expect(lives.take(alice)).rejects.toThrow('the most at once');
    await sleep(1_200);
    await lives.take(alice);
    await expect(lives.take(alice)).rejects.toThrow('the most at once');
    // A server that has lost everything learns of the two streams again.
    await redis.kill();
    await redis.start();
    await Promise.all(caches.map(connected));
    await sleep(500);
    const third = new StreamLimits(2, { cache: caches[0] ?? NO_CACHE, log: quiet }, times);
    await expect(third.take(alice)).rejects.toThrow('the most at once');
    for (const limits of [lives, third]) limits.close();
  });

  test('are counted by each replica where there is no cache', async () => {
    const alone = new StreamLimits(2, { cache: NO_CACHE, log: quiet });
    await alone.take(alice);
    await alone.take(alice);
    await expect(alone.take(alice)).rejects.toThrow('the most at once');
    alone.close();
  });
});
