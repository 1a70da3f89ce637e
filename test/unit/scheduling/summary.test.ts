import fc from 'fast-check';
import { expect, test } from 'vitest';
import { summary } from '../../../runtime/simulator/src/index.ts';

const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, value) => value + 1);

test.each([
  { values: [], p50: 0, p95: 0, max: 0 },
  { values: [7], p50: 7, p95: 7, max: 7 },
  { values: [2, 1], p50: 1, p95: 2, max: 2 },
  { values: upTo(3), p50: 2, p95: 3, max: 3 },
  { values: upTo(20), p50: 10, p95: 19, max: 20 },
  { values: upTo(21), p50: 11, p95: 20, max: 21 },
  { values: upTo(100), p50: 50, p95: 95, max: 100 },
])('percentiles of $values are of nearest rank', ({ values, ...expected }) => {
  expect(summary(values.toReversed())).toMatchObject(expected);
});

test('a percentile is the least value that so many percent do not exceed', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 300 }), (values) => {
      const told = summary(values);
      for (const [percent, value] of [
        [50, told.p50],
        [95, told.p95],
      ] as const) {
        const enough = (bound: number): boolean =>
          100 * values.filter((each) => each <= bound).length >= percent * values.length;
        expect(value).toBe(Math.min(...values.filter(enough)));
      }
    }),
  );
});
