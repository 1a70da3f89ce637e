import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { canonicalBytes, parseCanonical } from '../format/canonical.ts';
import { keyIdOf, tryPublicKey } from './keys.ts';

/*
 * A list of keys says who may sign bundles, how many of them must, and until when it may be believed. The site pins one. A
 * later one is believed when it is signed by as many keys of the list before as that one asks for, and by as many of
 * its own (as in TUF, https://theupdateframework.github.io/specification/latest/#update-root).
 */

export const KEYS_FORMAT = 'delos-bundle-keys/1';
export const MOST_KEY_LIST_BYTES = 2 ** 20;
/** File of a list in the folder keys of a bundle, and of its signature. */
export const keyListFile = (version: number): string => `${version}.json`;
export const keySignatureFile = (version: number): string => `${version}.json.dsse`;

const listedKey = z
  .strictObject({
    id: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('sha256 of the public key, SubjectPublicKeyInfo in DER'),
    publicKey: z.string().max(1000).describe('Ed25519, SubjectPublicKeyInfo in PEM'),
    from: z.iso.datetime().describe('Its signatures count from then on'),
    until: z.iso.datetime().describe('Its signatures do not count from then on'),
    revoked: z.boolean().optional().describe('Its signatures count no more, whenever they were made'),
  })
  .refine(({ id, publicKey }) => {
    const key = tryPublicKey(publicKey);
    return key !== undefined && keyIdOf(key) === id;
  }, 'expected a public Ed25519 key in PEM, with its own id');

export const keyList = z
  .strictObject({
    format: z.literal(KEYS_FORMAT),
    version: z.int().min(1).max(1_000_000),
    expires: z.iso.datetime().describe('The list is not believed from then on'),
    threshold: z.int().min(1).max(32).describe('How many different keys must have signed'),
    keys: z.array(listedKey).min(1).max(64),
  })
  .refine(({ keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, 'a key is listed twice')
  .refine(
    ({ keys, threshold }) => keys.filter(({ revoked }) => revoked !== true).length >= threshold,
    'fewer keys are listed than must sign',
  );
export type KeyList = z.infer<typeof keyList>;
export type ListedKey = KeyList['keys'][number];

export const keyListBytes = (list: KeyList): Buffer =>
  canonicalBytes({ ...list, keys: list.keys.map((key) => ({ ...key })) });

/** Undefined for bytes that are no list in its one form. */
export function parseKeyList(bytes: Buffer): KeyList | undefined {
  return keyList.safeParse(parseCanonical(bytes)).data;
}

export function publicKeyOf({ publicKey }: ListedKey): KeyObject {
  const key = tryPublicKey(publicKey);
  if (key === undefined) throw new TypeError('a list of keys was read without its schema');
  return key;
}

/** Why a key's signatures do not count at a time; undefined: they do. @param at undefined: at any time of its life */
export function refusalOf(key: ListedKey, at: Date | undefined): string | undefined {
  if (key.revoked === true) return 'is revoked';
  if (at === undefined) return undefined;
  if (at < new Date(key.from)) return `counts from ${key.from} on, and it is ${at.toISOString()} here`;
  if (at >= new Date(key.until)) return `ended on ${key.until}, and it is ${at.toISOString()} here`;
  return undefined;
}
