import type { KeyObject } from 'node:crypto';
import { DelosError } from '@delos/core';
import { digestOf, hexOf } from '../format/digest.ts';
import { seal } from './dsse.ts';
import { KEYS_FORMAT, type KeyList, keyList, keyListBytes, keyListFile, type ListedKey } from './key-list.ts';
import { keyIdOf } from './keys.ts';
import { PAYLOAD_TYPE, statementOf } from './statement.ts';

/** What a list of keys shall say. */
export interface NewList {
  /** The list that it replaces; undefined for the first. */
  readonly after?: KeyList | undefined;
  /** Public keys that come in. */
  readonly add: readonly KeyObject[];
  /** Ids, or the beginnings of ids, of keys whose signatures shall count no more. */
  readonly revoke: readonly string[];
  readonly threshold: number;
  /** When the list, and the keys that come in, begin and end. */
  readonly from: Date;
  readonly until: Date;
}

/** The next list: the keys of the one before, revoked where asked for, and the new ones. @throws DelosError ERR_USAGE */
export function newKeyList({ after, add, revoke, threshold, from, until }: NewList): KeyList {
  const before = after?.keys ?? [];
  const revoked = new Set(revoke.map((id) => oneOf(before, id).id));
  const fresh = add
    .filter((key) => !before.some(({ id }) => id === keyIdOf(key)))
    .map((key) => ({
      id: keyIdOf(key),
      publicKey: key.export({ type: 'spki', format: 'pem' }).toString(),
      from: from.toISOString(),
      until: until.toISOString(),
    }));
  const keys: ListedKey[] = [...before.map((key) => (revoked.has(key.id) ? { ...key, revoked: true } : key)), ...fresh];
  const parsed = keyList.safeParse({
    format: KEYS_FORMAT,
    version: (after?.version ?? 0) + 1,
    expires: until.toISOString(),
    threshold,
    keys: keys.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  });
  if (parsed.success) return parsed.data;
  throw new DelosError(
    'ERR_USAGE',
    `this would be no list of keys: ${parsed.error.issues[0]?.message ?? 'not accepted'}`,
    {
      hint: 'give the public keys by --add FILE.pub, and a --threshold that they reach',
    },
  );
}

function oneOf(keys: readonly ListedKey[], beginning: string): ListedKey {
  const found = keys.filter(({ id }) => id.startsWith(beginning));
  const [key] = found;
  if (key !== undefined && found.length === 1) return key;
  throw new DelosError('ERR_USAGE', `--revoke ${beginning}: ${found.length} keys of the list begin so`, {
    hint: `its keys: ${keys.map(({ id }) => id.slice(0, 12)).join(', ')}`,
  });
}

/** The signature that goes beside a list. */
export const signKeyList = (list: KeyList, keys: readonly KeyObject[]): Buffer =>
  seal(PAYLOAD_TYPE, statementOf('keys', keyListFile(list.version), hexOf(digestOf(keyListBytes(list)))), keys);
