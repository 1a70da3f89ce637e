import fc from 'fast-check';
import { expect, test } from 'vitest';
import { projectShare } from '../../../../runtime/service/src/logs/project-share.ts';

const bytes = fc.integer({ min: 0, max: 2 ** 40 });
const limit = fc.integer({ min: 1, max: 2 ** 40 });

test.each([
  ['nobody holds anything', [], 10, 100, 10],
  ['all have room', [3, 4], 10, 100, 10],
  ['one is over its own limit', [30, 4], 10, 100, 10],
  ['all together are over theirs: the largest gives way', [9, 2, 1], 10, 8, 5],
  ['all together are over theirs: equal ones give way alike', [9, 9, 9], 10, 20, 6],
])('%s', (_what, sizes, projectLimit, totalLimit, share) => {
  expect(projectShare(sizes, { projectLimit, totalLimit })).toBe(share);
});

test('all that is left fits, nobody has more than its limit, and no project gives way without need', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 50 }), limit, limit, (sizes, projectLimit, totalLimit) => {
      const share = projectShare(sizes, { projectLimit, totalLimit });
      expect(share).toBeLessThanOrEqual(projectLimit);
      const left = sizes.reduce((sum, size) => sum + Math.min(size, share), 0);
      expect(left).toBeLessThanOrEqual(totalLimit);
      // One byte more for each of those that give way would be too much.
      const giveWay = sizes.filter((size) => size > share);
      if (share < projectLimit) expect(left + giveWay.length).toBeGreaterThan(totalLimit);
    }),
  );
});
