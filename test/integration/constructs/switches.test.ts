import { describe, expect, test } from 'vitest';
import { combinations, pairwise } from '../../support/constructs/switches.ts';
import { switchRules } from '../../support/constructs/switches-suite.ts';

/*
 * Combinations of switches in which each two settings stand together once. test/long/constructs/switches.test.ts takes many more.
 */

test('few combinations have every pair of settings', () => {
  expect(pairwise().length).toBeLessThan(50);
  expect(new Set(combinations(200).map((each) => JSON.stringify(each))).size).toBe(200);
});

describe('every pair of settings', () => switchRules(pairwise()));
