import type { KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { DelosError } from '@delos/core';
import type { CarriedList } from './chain.ts';
import { type KeyList, keyListBytes, MOST_KEY_LIST_BYTES, parseKeyList } from './key-list.ts';
import { tryPrivateKey, tryPublicKey } from './keys.ts';

const MOST_KEY_BYTES = 16 * 1024;

/** A private key that signs. @throws DelosError ERR_USAGE */
export function readPrivateKey(file: string): KeyObject {
  const key = tryPrivateKey(textOf(file, MOST_KEY_BYTES).toString('utf8'));
  if (key !== undefined) return key;
  throw new DelosError('ERR_USAGE', `${file} holds no private Ed25519 key`, {
    where: { file },
    hint: 'expected PKCS#8 in PEM without a passphrase: `delos bundle new-key FILE` or `openssl genpkey -algorithm ed25519` makes one',
  });
}

/** A public key. @throws DelosError ERR_USAGE */
export function readPublicKey(file: string): KeyObject {
  const key = tryPublicKey(textOf(file, MOST_KEY_BYTES).toString('utf8'));
  if (key !== undefined) return key;
  throw new DelosError('ERR_USAGE', `${file} holds no public Ed25519 key`, {
    where: { file },
    hint: 'expected PEM that begins with -----BEGIN PUBLIC KEY-----, as `delos bundle new-key FILE` writes FILE.pub',
  });
}

/** A list of keys. @throws DelosError ERR_USAGE */
export function readKeyList(file: string): KeyList {
  const list = parseKeyList(textOf(file, MOST_KEY_LIST_BYTES));
  if (list !== undefined) return list;
  throw new DelosError('ERR_USAGE', `${file} is no list of keys`, {
    where: { file },
    hint: 'expected what `delos bundle keys --out FILE` writes, byte for byte',
  });
}

/** A list of keys with the signature beside it, as a bundle carries it. @throws DelosError ERR_USAGE */
export function readCarriedList(file: string): CarriedList {
  const list = readKeyList(file);
  return { version: list.version, content: keyListBytes(list), signature: textOf(`${file}.dsse`, MOST_KEY_LIST_BYTES) };
}

function textOf(file: string, most: number): Buffer {
  try {
    if (statSync(file).size > most) throw new Error(`it has more than ${most} bytes`);
    return readFileSync(file);
  } catch (cause) {
    throw new DelosError(
      'ERR_USAGE',
      `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        where: { file },
        cause,
      },
    );
  }
}
