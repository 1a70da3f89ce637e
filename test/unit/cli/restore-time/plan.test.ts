import { expect, test } from 'vitest';
import { planText, planTime, type TimeFacts } from '../../../../cli/src/commands/restore-time/plan.ts';
import { type PointSet, pointsText, timeOf } from '../../../../cli/src/commands/restore-time/points.ts';

const MIB = 2 ** 20;
const at = (clock: string): string => `2026-11-30T${clock}:00.000Z`;
const base = (clock: string, first: number, segments: number): PointSet['bases'][number] => ({
  id: `base-${clock}`,
  from: at(clock),
  bytes: 100 * MIB,
  first,
  segments,
});
const set = (given: Partial<PointSet> & Pick<PointSet, 'set' | 'until' | 'bases'>): PointSet => ({
  closed: false,
  missing: [],
  opens: true,
  recipient: '',
  ...given,
});
/** A database that was taken back once, at eleven, so that another history began at five past. */
const SETS: readonly PointSet[] = [
  set({ set: 'one', until: at('11:00'), closed: true, bases: [base('08:00', 2, 40), base('10:00', 30, 12)] }),
  set({ set: 'two', until: at('12:00'), bases: [base('11:05', 50, 6)] }),
];
const facts = (time: string, more: Partial<TimeFacts> = {}): TimeFacts => ({
  instance: 'lab',
  time: timeOf(time),
  sets: SETS,
  free: 10_000 * MIB,
  besideDatabase: false,
  ...more,
});
const refusals = (given: TimeFacts): readonly string[] => planTime(given).refusals.map(({ what }) => what);

test.each([
  [at('09:00'), 'one', 'base-08:00'],
  [at('10:00'), 'one', 'base-10:00'],
  [at('11:00'), 'one', 'base-10:00'],
  [at('11:05'), 'two', 'base-11:05'],
  ['2026-11-30T12:30:00+01:00', 'two', 'base-11:05'],
])('the time %s is had from set %s by %s', (time, from, by) => {
  const plan = planTime(facts(time));
  expect(plan.refusals).toEqual([]);
  expect(plan.from).toMatchObject({ set: from, base: by });
  expect(planText(plan)).toContain(`goes back to ${time}`);
});

test('a time that no history has is refused, with those nearest to it', () => {
  const todo = (time: string) => planTime(facts(time)).refusals[0];
  expect(todo(at('07:59'))).toEqual({
    what: `${at('07:59')} is before the first base backup`,
    todo: `the earliest time is ${at('08:00')}`,
  });
  expect(todo(at('12:01'))).toEqual({
    what: `${at('12:01')} is after the end of the archive`,
    todo: `the latest time is ${at('12:00')}`,
  });
  expect(todo(at('11:03'))?.todo).toBe(
    `go back to ${at('11:00')}, just before it, or to ${at('11:05')}, just after it`,
  );
  expect(refusals(facts(at('09:00'), { sets: [] }))).toEqual(['the archive has no base backup yet']);
});

test('a missing segment is named where the time needs it, and nowhere else', () => {
  const gap = { segment: '000000010000000000000010', number: 16, since: at('09:00') };
  const sets = [set({ ...(SETS[0] as PointSet), missing: [gap] })];
  expect(refusals(facts(at('08:30'), { sets }))).toEqual([]);
  expect(planTime(facts(at('09:30'), { sets })).refusals).toEqual([
    {
      what: `the archive lacks the segment ${gap.segment} of the log, of about ${at('09:00')}`,
      todo: `go back to a time before it, or after ${at('10:00')}`,
    },
  ]);
  expect(refusals(facts(at('10:30'), { sets }))).toEqual([]);
  expect(pointsText(sets)).toContain(`lacks ${gap.segment}`);
});

test('a key that does not open it, and a volume without room for both, are refused', () => {
  const sealed = SETS.map((each) => set({ ...each, opens: false, recipient: 'age1xyz' }));
  expect(refusals(facts(at('09:00'), { sets: sealed }))).toEqual([
    'the archive of that time is encrypted for age1xyz, and its key does not open that',
  ]);
  const [full] = refusals(facts(at('09:00'), { free: 500 * MIB }));
  expect(full).toMatch(/are needed beside the data that is there, and 500\.0 MiB are free/);
  expect(refusals(facts(at('09:00'), { free: undefined }))).toEqual([]);
});

test('an archive beside the database is told to be one', () => {
  expect(planText(planTime(facts(at('09:00'), { besideDatabase: true })))).toContain(
    'it does not survive the loss of that volume',
  );
});

test.each(['yesterday', '2026-11-30', '2026-11-30T12:00:00', '12:00Z', ''])('%j is no time', (text) => {
  expect(() => timeOf(text)).toThrow('is no time');
});
