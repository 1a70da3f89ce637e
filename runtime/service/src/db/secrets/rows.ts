import { DelosError, type SecretValue } from '@delos/core';
import type { LiveSecret } from '../../live-secret.ts';
import { rewrapImports } from '../buckets/imports.ts';
import type { Database } from '../database.ts';
import { rewrapTriggers } from '../flow/trigger-secrets.ts';
import type { Db, Tx } from '../schema.ts';
import { rewrapJobTokens } from './job-tokens.ts';
import { changeKey, holdKey } from './key-lock.ts';
import { keyIdOf, rewrap, seal, unseal } from './sealing.ts';
import type { SecretRow } from './tables.ts';

/** Which secret: a name in a project of a cluster. */
export type SecretPlace = Pick<SecretRow, 'cluster' | 'org' | 'project' | 'name'>;

const placeOf = ({ cluster, org, project, name }: SecretPlace): string =>
  ['secret', cluster, org, project, name].join('\0');

/** Rows that are encrypted anew in one transaction. */
const BATCH = 100;

/** Makes a secret, or gives it another value. @param keys read when no change of keys is under way */
export async function putSecret(
  tx: Tx,
  keys: LiveSecret,
  place: SecretPlace,
  { value, owner }: { readonly value: Buffer; readonly owner: string },
): Promise<void> {
  await holdKey(tx);
  const content = {
    owner,
    ...seal(keys, placeOf(place), value),
    bytes: value.length,
    is_text: isText(value),
    changed_at: new Date(),
  };
  await tx
    .insertInto('secrets')
    .values({ ...place, ...content })
    .onConflict((oc) => oc.columns(['cluster', 'org', 'project', 'name']).doUpdateSet(content))
    .execute();
}

/** The value as a job gets it, or the sentence that says why it does not. */
export async function secretValue(db: Db | Tx, keys: LiveSecret, place: SecretPlace): Promise<SecretValue> {
  const { cluster, org, project, name } = place;
  const row = await db
    .selectFrom('secrets')
    .selectAll()
    .where('cluster', '=', cluster)
    .where('org', '=', org)
    .where('project', '=', project)
    .where('name', '=', name)
    .executeTakeFirst();
  const called = `secret ${JSON.stringify(name)} of project ${org}/${project}`;
  if (row === undefined) return { problem: `${called} was removed before the job could start` };
  const value = unseal(keys, placeOf(place), row);
  if (value !== undefined) return { value: value.toString('base64') };
  return { problem: `${called} cannot be decrypted: add it again, or tell the administrator` };
}

/**
 * Encrypts the keys of all secrets, of tokens of jobs, of credentials of imported buckets and of triggers, with the platform's current key, so that a former one can go. Nobody writes a value
 * with another one after this.
 * @returns how many were changed
 * @throws DelosError ERR_CONFLICT where one cannot be opened: the former key must stay
 */
export async function rewrapSecrets(database: Database, keys: LiveSecret): Promise<number> {
  const tokens = await database.tx(async (tx) => {
    await changeKey(tx);
    return (await rewrapJobTokens(tx, keys)) + (await rewrapImports(tx, keys)) + (await rewrapTriggers(tx, keys));
  });
  for (let changed = tokens; ; ) {
    const some = await database.tx((tx) => rewrapSome(tx, keys));
    changed += some;
    if (some < BATCH) return changed;
  }
}

async function rewrapSome(tx: Tx, keys: LiveSecret): Promise<number> {
  await changeKey(tx);
  const rows = await tx
    .selectFrom('secrets')
    .select(['cluster', 'org', 'project', 'name', 'wrapped_key', 'key_id'])
    .where('key_id', '<>', keyIdOf(keys.current()))
    .limit(BATCH)
    .forUpdate()
    .execute();
  for (const row of rows) {
    const { cluster, org, project, name } = row;
    const wrapped = rewrap(keys, placeOf(row), row);
    if (wrapped === undefined) {
      throw new DelosError('ERR_CONFLICT', `secret ${name} of project ${org}/${project} cannot be decrypted`, {
        hint: `remove it: apolo secret rm ${name} --org ${org} --project ${project}; then rotate again`,
      });
    }
    await tx
      .updateTable('secrets')
      .set(wrapped)
      .where('cluster', '=', cluster)
      .where('org', '=', org)
      .where('project', '=', project)
      .where('name', '=', name)
      .execute();
  }
  return rows.length;
}

/** Whether a variable of an environment can hold it: UTF-8 without NUL. */
function isText(value: Buffer): boolean {
  if (value.includes(0)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    return true;
  } catch {
    return false;
  }
}
