import { test } from 'vitest';
import { checkHistories } from '../../support/ledger/history.ts';

test('whatever is killed, repeated or written late: the books balance, and each second is charged once', () => {
  checkHistories(300);
});
