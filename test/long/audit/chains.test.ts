import { test } from 'vitest';
import { checkChanges } from '../../support/audit/chains.ts';

test('10,000 chains: one record removed, changed, inserted, doubled or put elsewhere is found', () => {
  checkChanges(10_000);
});
