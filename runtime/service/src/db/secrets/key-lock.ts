import { sql } from 'kysely';
import type { Tx } from '../schema.ts';

const KEY_LOCK = 'the key of secrets';

/** No change of the platform's key is under way until the transaction ends: what is encrypted in it, is for the key as read after this. */
export async function holdKey(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(hashtextextended(${KEY_LOCK}, 0))`.execute(tx);
}

/** Nobody encrypts anything until the transaction ends. */
export async function changeKey(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${KEY_LOCK}, 0))`.execute(tx);
}
