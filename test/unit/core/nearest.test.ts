import { editDistance, nearest } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });

test('the distance is 0 for the same word alone, the same both ways, and never above the longer word', () => {
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
    }),
  );
});

test.each([
  ['domian', 'domain'],
  ['preset', 'presets'],
  ['nodepools', 'nodePools'],
  ['organisations', 'organizations'],
])('%s means %s', (given, meant) => {
  expect(nearest(given, ['domain', 'cluster', 'presets', 'nodePools', 'organizations', 'users'])).toBe(meant);
});

test('a word like no other means nothing', () => {
  expect(nearest('kubernetes', ['domain', 'users'])).toBeUndefined();
});
