import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CacheSettings } from '../../../../runtime/service/src/api/cache/cache-settings.ts';
import { RedisCache } from '../../../../runtime/service/src/api/cache/redis-cache.ts';
import { startRedis, type TestRedis } from '../../../support/service/redis.ts';
import { until } from '../../../support/until.ts';

const ACCESS = { commands: ['ping', 'get', 'set'], keys: ['limits:*'] };

/** A cache, and what it logs and counts. */
function cacheAt(settings: Omit<CacheSettings, 'username'>) {
  const lines: { readonly level: number; readonly why?: string; readonly failures?: number }[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) });
  const metrics = new Registry();
  const cache = new RedisCache({ ...settings, username: 'ann' }, { log, metrics }, 5_000);
  const warnings = () => lines.filter(({ level }) => level === 40);
  return { cache, warnings, metrics };
}

describe('over TLS', () => {
  let folder: string;
  let redis: TestRedis;
  let ca: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'delos-redis-tls-'));
    const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=test'],
        ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
      ],
      { stdio: 'ignore' },
    );
    ca = readFileSync(certificate, 'utf8');
    redis = await startRedis({ ann: ACCESS }, { tls: { key, certificate } });
  });
  afterAll(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a server whose certificate is of the given authority is asked', async () => {
    const { cache } = cacheAt({ host: 'localhost', port: redis.port, password: redis.password('ann'), tls: { ca } });
    await until('it answers', 15, async () => ((await cache.command('PING')) === 'PONG' ? true : undefined));
    expect(await cache.command('SET', 'limits:a', '1')).toBe('OK');
    await cache.close();
  });

  test.each([
    ['of no authority that is known', () => ({ host: 'localhost', tls: {} })],
    ['for another name', () => ({ host: '127.0.0.1', tls: { ca } })],
    ['not asked for', () => ({ host: 'localhost' })],
  ])('a server whose certificate is %s is told nothing, and a warning says so', async (_, settings) => {
    const { cache, warnings } = cacheAt({ ...settings(), port: redis.port, password: redis.password('ann') });
    await until('a warning', 15, async () => (warnings().length > 0 ? true : undefined));
    await sleep(200);
    expect(await cache.command('PING')).toBeUndefined();
    await cache.close();
  });
});

test('many failures are one warning a minute, and are all counted', async () => {
  const redis = await startRedis({ ann: ACCESS });
  const { cache, warnings, metrics } = cacheAt({
    host: '127.0.0.1',
    port: redis.port,
    password: redis.password('ann'),
  });
  try {
    await until('it answers', 15, async () => ((await cache.command('PING')) === 'PONG' ? true : undefined));
    expect(await metrics.getSingleMetricAsString('delos_cache_up')).toMatch(/^delos_cache_up 1$/m);
    const before = warnings().length;
    for (let count = 0; count < 50; count += 1) expect(await cache.command('GET', 'secret')).toBeUndefined();
    await redis.kill();
    for (let count = 0; count < 50; count += 1) expect(await cache.command('GET', 'limits:a')).toBeUndefined();
    expect(warnings().length - before).toBeLessThanOrEqual(1);
    const counted = await metrics.getSingleMetricAsString('delos_cache_failures_total');
    expect(counted).toMatch(/why="refused"} 50$/m);
    expect(Number(/why="away"} (\d+)$/m.exec(counted)?.[1])).toBeGreaterThanOrEqual(50);
    expect(await metrics.getSingleMetricAsString('delos_cache_up')).toMatch(/^delos_cache_up 0$/m);
  } finally {
    await cache.close();
    await redis.stop();
  }
});
