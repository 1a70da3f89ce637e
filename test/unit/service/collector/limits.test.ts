import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Allowance } from '../../../../runtime/service/src/collector/allowance.ts';
import { AttemptReader } from '../../../../runtime/service/src/collector/attempt-reader.ts';
import { DiskWatch } from '../../../../runtime/service/src/collector/disk-watch.ts';
import { readNewest } from '../../../../runtime/service/src/collector/newest.ts';

describe('the allowance of a log over its limit', () => {
  test('is never more than what was saved up and its rate give together, however it is asked', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000_000 }),
        fc.array(fc.tuple(fc.nat(10_000), fc.boolean(), fc.nat(3_000_000)), { maxLength: 50 }),
        (rate, steps) => {
          let now = 0;
          let sent = 0;
          const allowance = new Allowance(() => now);
          allowance.setRate(rate);
          const saved = Math.min(4 * 2 ** 20, rate * 30);
          for (const [wait, last, wanted] of steps) {
            now += wait;
            const bytes = Math.min(wanted, allowance.available(last));
            allowance.take(bytes);
            sent += bytes;
            expect(sent).toBeLessThanOrEqual(saved + (rate * now) / 1000 + 1);
          }
        },
      ),
    );
  });

  test('keeps half of what is saved up for the log’s end', () => {
    const allowance = new Allowance(() => 0);
    allowance.setRate(1_000);
    allowance.take(allowance.available(false));
    expect([allowance.available(false), allowance.available(true)]).toEqual([0, 15_000]);
  });
});

describe('the newest of a log', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'delos-newest-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const line = (number: number): string =>
    `2026-01-01T00:00:00.${String(number).padStart(9, '0')}Z stdout F ${'x'.repeat(1_000)}\n`;
  const written = (lines: number): string => {
    const text = Array.from({ length: lines }, (_, number) => line(number)).join('');
    appendFileSync(join(folder, '0.log'), text);
    return text;
  };

  test.each([0, 300_000, 1_000_000, 100_000_000])(
    'is its end, with what was passed over counted: %i bytes',
    async (keep) => {
      const text = written(3_000);
      const reader = new AttemptReader(folder, 0);
      const newest = await readNewest(reader, keep, false);
      const kept = Buffer.concat((newest?.pieces ?? []).map(({ bytes }) => bytes)).toString();
      expect(text.endsWith(kept)).toBe(true);
      expect(kept.length).toBeGreaterThan(0);
      expect(kept.length).toBeLessThanOrEqual(Math.max(keep, 256 * 1024));
      expect((newest?.skipped ?? 0) + kept.length).toBe(text.length);
      await reader.close();
    },
  );

  test('is nothing where nothing was written', async () => {
    const reader = new AttemptReader(folder, 0);
    expect(await readNewest(reader, 1_000, false)).toBeUndefined();
  });
});

test('a short disk holds logs, until there is a tenth more than the least', async () => {
  let free = 100;
  const watch = new DiskWatch({ folder: '/', minFree: 50, free: async () => free });
  const seen: (readonly [boolean, boolean])[] = [];
  for (free of [100, 49, 52, 40, 56, 100]) seen.push([await watch.look(), watch.isShort]);
  expect(seen).toEqual([
    [false, false],
    [true, true],
    [false, true],
    [false, true],
    [true, false],
    [false, false],
  ]);
});

test('a disk that cannot be asked is not short; a real one is asked', async () => {
  const gone = new DiskWatch({ folder: '/nowhere/at/all', minFree: Number.MAX_SAFE_INTEGER });
  expect([await gone.look(), gone.isShort]).toEqual([false, false]);
  const real = new DiskWatch({ folder: '/', minFree: Number.MAX_SAFE_INTEGER });
  expect([await real.look(), real.isShort]).toEqual([true, true]);
});
