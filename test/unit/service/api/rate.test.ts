import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_CACHE } from '../../../../runtime/service/src/api/cache/cache.ts';
import { paceOf, takeOne } from '../../../../runtime/service/src/api/limits/rate.ts';
import { RateLimits } from '../../../../runtime/service/src/api/limits/rate-limits.ts';

const rate = fc.record({ perSecond: fc.integer({ min: 1, max: 1_000 }), burst: fc.integer({ min: 1, max: 50 }) });
/** Microseconds between one request and the next. */
const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000_000 })), { maxLength: 200 });

/** The plain thing: a bucket that fills steadily and from which each request takes a token. In parts of a token. */
function bucket({ each, most }: ReturnType<typeof paceOf>): (gap: number) => boolean {
  let filled = most;
  return (gap) => {
    filled = Math.min(most, filled + gap);
    if (filled < each) return false;
    filled -= each;
    return true;
  };
}

describe('a rate', () => {
  test('lets through exactly what a bucket of tokens does', () => {
    fc.assert(
      fc.property(rate, gaps, (asked, waits) => {
        const pace = paceOf(asked);
        const model = bucket(pace);
        let now = 1_000_000;
        let paidAt = 0;
        for (const gap of waits) {
          now += gap;
          const step = takeOne(pace, paidAt, now);
          expect(step.free).toBe(model(gap));
          paidAt = step.paidAt;
        }
      }),
    );
  });

  test('lets through, in any window, no more than the burst and what the window brings', () => {
    fc.assert(
      fc.property(rate, gaps, (asked, waits) => {
        const pace = paceOf(asked);
        const times: number[] = [];
        let now = 0;
        let paidAt = 0;
        for (const gap of waits) {
          now += gap;
          const step = takeOne(pace, paidAt, now);
          if (step.free) times.push(now);
          paidAt = step.paidAt;
        }
        for (let from = 0; from < times.length; from += 1) {
          for (let to = from; to < times.length; to += 1) {
            const window = (times[to] ?? 0) - (times[from] ?? 0);
            expect(to - from + 1).toBeLessThanOrEqual(asked.burst + Math.floor(window / pace.each));
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test('says how long to wait: a microsecond less is too early, and then there is room', () => {
    fc.assert(
      fc.property(rate, gaps, (asked, waits) => {
        const pace = paceOf(asked);
        let now = 1_000_000;
        let paidAt = 0;
        for (const gap of waits) {
          now += gap;
          const step = takeOne(pace, paidAt, now);
          paidAt = step.paidAt;
          if (step.free) continue;
          expect(takeOne(pace, paidAt, now + step.wait - 1).free).toBe(false);
          expect(takeOne(pace, paidAt, now + step.wait).free).toBe(true);
        }
      }),
    );
  });

  test('lets nobody wait longer than for a whole burst, whatever was kept and however the clock jumps', () => {
    fc.assert(
      fc.property(rate, fc.maxSafeInteger(), fc.integer({ min: 0, max: 2 ** 51 }), (asked, paidAt, now) => {
        const pace = paceOf(asked);
        const { wait, paidAt: next } = takeOne(pace, paidAt, now);
        expect(wait).toBeLessThanOrEqual(pace.most);
        expect(next - now).toBeLessThanOrEqual(pace.most);
        expect(next).toBeGreaterThanOrEqual(now);
      }),
    );
  });
});

describe('limits of one replica', () => {
  const limits = (burst: number, now: () => number): RateLimits =>
    new RateLimits('user', { perSecond: 10, burst }, { cache: NO_CACHE, now });

  test('count each name by itself, and tell the wait in milliseconds', async () => {
    let now = 0;
    const own = limits(2, () => now);
    const take = (name: string): Promise<number> => own.take(name);
    expect(await take('ann')).toBe(0);
    expect(await take('ann')).toBe(0);
    expect(await take('ann')).toBe(100);
    expect(await take('bob')).toBe(0);
    now = 100;
    expect(await take('ann')).toBe(0);
  });

  test('keep a bounded number of names', async () => {
    const own = limits(1, () => 0);
    expect(await own.take('first')).toBe(0);
    expect(await own.take('first')).toBeGreaterThan(0);
    for (let name = 0; name < 20_000; name += 1) await own.take(`name-${name}`);
    // It was pushed out: it begins anew.
    expect(await own.take('first')).toBe(0);
  });
});
