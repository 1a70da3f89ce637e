import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { LiveSecret } from '../../live-secret.ts';

/*
 * How values are encrypted that no row may hold in the clear. Each value has a key of its own, and that key is encrypted
 * with the platform's (an envelope), so that another key of the platform rewrites 60 bytes of a row, and not its value.
 * AES-256-GCM (NIST SP 800-38D), nonces of 96 random bits. The place of a value is authenticated with it: what is copied
 * into another row opens nothing.
 */

export interface Sealed {
  readonly sealed: Buffer;
  readonly wrapped_key: Buffer;
  readonly key_id: string;
}

const NONCE = 12;
const TAG = 16;

/** Encrypts with the platform's current key. @param place of the row: the same when it is opened */
export function seal(keys: LiveSecret, place: string, value: Buffer): Sealed {
  const own = randomBytes(32);
  return { sealed: encrypt(own, place, value), ...wrap(platformKey(keys.current()), place, own) };
}

/** @returns undefined where the platform has its key no more, or it was changed */
export function unseal(keys: LiveSecret, place: string, row: Sealed): Buffer | undefined {
  try {
    const own = unwrap(keys, place, row);
    return own === undefined ? undefined : decrypt(own, place, row.sealed);
  } catch {
    return undefined;
  }
}

/** The same value under the platform's current key. @returns undefined where it cannot be opened */
export function rewrap(
  keys: LiveSecret,
  place: string,
  row: Omit<Sealed, 'sealed'>,
): Omit<Sealed, 'sealed'> | undefined {
  try {
    const own = unwrap(keys, place, row);
    return own === undefined ? undefined : wrap(platformKey(keys.current()), place, own);
  } catch {
    return undefined;
  }
}

/** By this a row names the key that it was encrypted with. It tells nothing of the key. */
export const keyIdOf = (text: string): string => platformKey(text).id;

interface PlatformKey {
  readonly id: string;
  readonly key: Buffer;
}

function platformKey(text: string): PlatformKey {
  const derive = (info: string, length: number): Buffer => Buffer.from(hkdfSync('sha256', text, '', info, length));
  return {
    id: createHash('sha256').update(derive('delos secrets: id of the key', 32)).digest('hex').slice(0, 16),
    key: derive('delos secrets: key', 32),
  };
}

function wrap({ id, key }: PlatformKey, place: string, own: Buffer): Omit<Sealed, 'sealed'> {
  return { wrapped_key: encrypt(key, `${id}\0${place}`, own), key_id: id };
}

function unwrap(keys: LiveSecret, place: string, row: Omit<Sealed, 'sealed'>): Buffer | undefined {
  const found = keys
    .accepted()
    .map(platformKey)
    .find(({ id }) => id === row.key_id);
  return found === undefined ? undefined : decrypt(found.key, `${found.id}\0${place}`, row.wrapped_key);
}

function encrypt(key: Buffer, place: string, value: Buffer): Buffer {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
  return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
}

/** @throws Error where key, place or bytes are not those that it was encrypted with */
function decrypt(key: Buffer, place: string, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), { authTagLength: TAG })
    .setAAD(Buffer.from(place))
    .setAuthTag(sealed.subarray(-TAG));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()]);
}
