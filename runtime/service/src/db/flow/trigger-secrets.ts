import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { LiveSecret } from '../../live-secret.ts';
import type { Db, Tx } from '../schema.ts';
import { holdKey } from '../secrets/key-lock.ts';
import { keyIdOf, rewrap, seal, unseal } from '../secrets/sealing.ts';

/* The secrets that requests which trigger a schedule are signed with. */

const BYTES = 32;
const placeOf = (schedule: string): string => ['flow trigger', schedule].join('\0');

/** Gives a schedule a secret. @returns it, as people are told it */
export async function makeTriggerSecret(tx: Tx, keys: LiveSecret, schedule: string): Promise<string> {
  const secret = randomBytes(BYTES);
  await holdKey(tx);
  await tx
    .updateTable('flow_schedules')
    .set(seal(keys, placeOf(schedule), secret))
    .where('id', '=', schedule)
    .execute();
  return `whsec_${secret.toString('base64')}`;
}

/** @returns undefined where it has none, or it cannot be decrypted */
export async function triggerSecret(db: Db, keys: LiveSecret, schedule: string): Promise<Buffer | undefined> {
  const row = await db
    .selectFrom('flow_schedules')
    .select(['sealed', 'wrapped_key', 'key_id'])
    .where('id', '=', schedule)
    .executeTakeFirst();
  const { sealed, wrapped_key, key_id } = row ?? {};
  if (sealed == null || wrapped_key == null || key_id == null) return undefined;
  return unseal(keys, placeOf(schedule), { sealed, wrapped_key, key_id });
}

/**
 * Encrypts secrets of triggers for the platform's current key. One that cannot be opened stays as it is: it opens nothing.
 * @returns how many were changed
 */
export async function rewrapTriggers(tx: Tx, keys: LiveSecret): Promise<number> {
  const rows = await tx
    .selectFrom('flow_schedules')
    .select(['id', 'wrapped_key', 'key_id'])
    .where(sql<boolean>`key_id <> ${keyIdOf(keys.current())}`)
    .execute();
  let changed = 0;
  for (const { id, wrapped_key, key_id } of rows) {
    if (wrapped_key === null || key_id === null) continue;
    const wrapped = rewrap(keys, placeOf(id), { wrapped_key, key_id });
    if (wrapped === undefined) continue;
    await tx.updateTable('flow_schedules').set(wrapped).where('id', '=', id).execute();
    changed += 1;
  }
  return changed;
}
