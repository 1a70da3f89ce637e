import { DelosError } from '@delos/core';
import type { Tx } from '../db/schema.ts';
import type { Caller } from './deps.ts';

/**
 * Holds off the caller's removal until what is made is written: a removal passes on all that is a user's.
 * @throws DelosError ERR_UNAUTHENTICATED
 */
export async function stillUser(tx: Tx, caller: Caller): Promise<void> {
  const row = await tx
    .selectFrom('users')
    .select('id')
    .where('id', '=', caller.id)
    .where('removed_at', 'is', null)
    .forShare()
    .executeTakeFirst();
  if (row !== undefined) return;
  throw new DelosError('ERR_UNAUTHENTICATED', `the account of ${JSON.stringify(caller.user)} was removed`);
}
