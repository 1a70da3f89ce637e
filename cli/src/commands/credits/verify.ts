import { creditsVerdict, DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askCredits } from './ask.ts';

/** Adds everything up again that was ever written, and holds it against the laws of the books. */
export async function run(context: CommandContext): Promise<void> {
  const { transactions, faults } = creditsVerdict.parse(await askCredits(context, { action: 'verify' }));
  if (faults.length > 0) {
    const [first = ''] = faults;
    throw new DelosError(
      'ERR_CONFLICT',
      `the books do not prove themselves: ${first}${faults.length > 1 ? `, and ${faults.length - 1} more` : ''}`,
      {
        hint: 'somebody has written to the database by hand: compare it with a backup',
      },
    );
  }
  context.result(
    { transactions, faults },
    `${transactions} transactions: each adds up to zero, and the balances are theirs`,
  );
}
