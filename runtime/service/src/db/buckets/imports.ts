import { DelosError } from '@delos/core';
import type { LiveSecret } from '../../live-secret.ts';
import type { Tx } from '../schema.ts';
import { changeKey, holdKey } from '../secrets/key-lock.ts';
import { keyIdOf, rewrap, type Sealed, seal, unseal } from '../secrets/sealing.ts';

/* Credentials of buckets that other providers have. */

const placeOf = (bucket: string): string => ['bucket', bucket].join('\0');

/** Encrypts them. @param keys read when no change of keys is under way */
export async function sealImport(tx: Tx, keys: LiveSecret, bucket: string, credentials: object): Promise<Sealed> {
  await holdKey(tx);
  return seal(keys, placeOf(bucket), Buffer.from(JSON.stringify(credentials)));
}

interface Row {
  readonly id: string;
  readonly sealed: Buffer | null;
  readonly wrapped_key: Buffer | null;
  readonly key_id: string | null;
}

/** @returns undefined where they cannot be opened */
export function openImport(keys: LiveSecret, { id, sealed, wrapped_key, key_id }: Row): unknown {
  if (sealed === null || wrapped_key === null || key_id === null) return undefined;
  const opened = unseal(keys, placeOf(id), { sealed, wrapped_key, key_id });
  return opened === undefined ? undefined : JSON.parse(opened.toString('utf8'));
}

/**
 * Encrypts their keys with the platform's current one.
 * @returns how many were changed
 * @throws DelosError ERR_CONFLICT where one cannot be opened: the former key must stay
 */
export async function rewrapImports(tx: Tx, keys: LiveSecret): Promise<number> {
  await changeKey(tx);
  const rows = await tx
    .selectFrom('buckets')
    .select(['id', 'name', 'org', 'project', 'wrapped_key', 'key_id'])
    .where('key_id', '<>', keyIdOf(keys.current()))
    .forUpdate()
    .execute();
  for (const { id, name, org, project, wrapped_key, key_id } of rows) {
    if (wrapped_key === null || key_id === null) continue;
    const wrapped = rewrap(keys, placeOf(id), { wrapped_key, key_id });
    if (wrapped === undefined) {
      throw new DelosError(
        'ERR_CONFLICT',
        `the credentials of bucket ${name ?? id} of project ${org}/${project} cannot be decrypted`,
        {
          hint: `remove it: apolo blob rmbucket ${id}; then rotate again`,
        },
      );
    }
    await tx.updateTable('buckets').set(wrapped).where('id', '=', id).execute();
  }
  return rows.length;
}
