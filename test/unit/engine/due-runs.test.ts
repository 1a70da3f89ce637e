import { checkSchedule, dueRuns, LATE_MS, MOST_MADE_UP } from '@delos/engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = (text: string): number => Date.parse(text);
/** Zones whose clocks change by an hour, by half of one, at midnight, and never. */
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Asuncion', 'Africa/Cairo', 'UTC'];
const zone = fc.constantFrom(...ZONES);
const some = fc.constantFrom(
  '*/10 * * * *',
  '30 2 * * *',
  '0 0 * * *',
  '15 */6 * * 1-5',
  '0 3 1 * *',
  '59 23 * * 0',
  '5 1,2,3 * * *',
);
/** Around the changes of clocks of two years. */
const time = fc
  .integer({ min: at('2025-09-01T00:00:00Z') / 60_000, max: at('2027-05-01T00:00:00Z') / 60_000 })
  .map((m) => m * 60_000 + 1234);
const local = (ms: number, timeZone: string): string =>
  new Intl.DateTimeFormat('sv', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(ms);

describe('runs of a schedule', () => {
  test('come in order, after the last look and up to now, and none twice however often somebody looks', () => {
    fc.assert(
      fc.property(
        some,
        zone,
        time,
        fc.array(fc.integer({ min: 1, max: 12 * HOUR }), { maxLength: 12 }),
        (cron, timeZone, start, gaps) => {
          const rule = { cron, timeZone, missed: 'all' } as const;
          let [after, now] = [start, start];
          const told: number[] = [];
          for (const gap of gaps) {
            now += gap;
            const { due, upto, next } = dueRuns(rule, after, now);
            for (const run of due) expect(run > after && run <= now).toBe(true);
            expect(next === null || next > now).toBe(true);
            told.push(...due);
            after = upto;
          }
          expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b));
          // Whoever looks once at the end sees the same runs.
          expect(dueRuns(rule, start, now).due).toEqual(told.slice(-MOST_MADE_UP));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('the one that is told as next is the first one that comes', () => {
    fc.assert(
      fc.property(some, zone, time, (cron, timeZone, start) => {
        const rule = { cron, timeZone, missed: 'once' } as const;
        const { next } = dueRuns(rule, start, start);
        if (next === null) throw new Error('these never end');
        expect(dueRuns(rule, start, next - 1).due).toEqual([]);
        expect(dueRuns(rule, start, next).due).toEqual([next]);
      }),
      { numRuns: 30 },
    );
  });

  test('at a time of day come once each day, also where clocks change', () => {
    const minute = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
    fc.assert(
      fc.property(minute, zone, time, ([hour, minutes], timeZone, start) => {
        const rule = { cron: `${minutes} ${hour} * * *`, timeZone, missed: 'all' } as const;
        const { due } = dueRuns(rule, start, start + 60 * DAY);
        const days = due.map((run) => local(run, timeZone).slice(0, 10));
        expect(new Set(days).size).toBe(days.length);
        expect(Math.abs(days.length - 60)).toBeLessThanOrEqual(1);
        for (const [index, run] of due.entries()) {
          const between = run - (due[index - 1] ?? run - DAY);
          expect(Math.abs(between - DAY)).toBeLessThanOrEqual(2 * HOUR);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('in steps of minutes go on through the hour that comes twice', () => {
    const rule = { cron: '*/30 * * * *', timeZone: 'Europe/Berlin', missed: 'all' } as const;
    const { due } = dueRuns(rule, at('2026-10-24T22:59:00Z'), at('2026-10-25T03:00:00Z'));
    expect(due.length).toBe(9);
    expect(new Set(due.map((run, index) => run - (due[index - 1] ?? run - HOUR / 2)))).toEqual(new Set([HOUR / 2]));
    const daily = { ...rule, cron: '30 2 * * *' };
    const spring = dueRuns(daily, at('2026-03-28T02:00:00Z'), at('2026-03-29T12:00:00Z')).due;
    expect(spring.map((run) => new Date(run).toISOString())).toEqual(['2026-03-29T01:00:00.000Z']);
  });

  test('that were missed are skipped, made up for once, or all of them', () => {
    const [after, now] = [at('2026-11-01T00:00:00Z'), at('2026-11-05T12:00:00Z')];
    const of = (missed: 'skip' | 'once' | 'all', upto = now) =>
      dueRuns({ cron: '0 6 * * *', timeZone: 'UTC', missed }, after, upto).due.map((run) => new Date(run).getUTCDate());
    expect([of('skip'), of('once'), of('all')]).toEqual([[], [5], [1, 2, 3, 4, 5]]);
    const six = at('2026-11-05T06:00:00Z');
    expect([of('skip', six + LATE_MS - 1), of('skip', six + LATE_MS)]).toEqual([[5], []]);
    const each = { cron: '* * * * *', timeZone: 'UTC', missed: 'all' } as const;
    expect(dueRuns(each, after, now).due.length).toBe(MOST_MADE_UP);
  });
});

test.each([
  ['60 * * * *', 'UTC', 'not understood'],
  ['* * * * * *', 'UTC', 'not understood'],
  ['nonsense', 'UTC', 'not understood'],
  ['0 0 30 2 *', 'UTC', 'never comes'],
  ['* * * * *', 'Mars/Olympus', 'no time zone'],
])('%s in %s is refused in words', (cron, timeZone, words) => {
  expect(() => checkSchedule({ cron, timeZone })).toThrow(words);
});
