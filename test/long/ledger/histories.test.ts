import { test } from 'vitest';
import { checkHistories } from '../../support/ledger/history.ts';

test('10,000 histories: the books balance, and each second is charged once', () => {
  checkHistories(10_000);
});
