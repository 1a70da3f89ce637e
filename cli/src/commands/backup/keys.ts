import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { DelosError } from '@delos/core';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';

/** Who shall be able to open a backup. */
export interface SealOptions {
  /** age recipients, `age1…`. */
  readonly to?: readonly string[];
  readonly passphraseFile?: string;
}

/** What opens a backup. */
export interface OpenOptions {
  /** File of age identities, `AGE-SECRET-KEY-1…`, a line each. */
  readonly key?: string;
  readonly passphraseFile?: string;
}

const MOST_KEY_BYTES = 64 * 1024;
const SHORTEST_PASSPHRASE = 12;

/** @throws DelosError ERR_USAGE for no way to open it again, for two, and for a recipient or file that is none */
export function encrypterFor({ to = [], passphraseFile }: SealOptions): Encrypter {
  if ((to.length === 0) === (passphraseFile === undefined)) {
    throw new DelosError('ERR_USAGE', 'expected --to RECIPIENT or --passphrase-file FILE, one of them', {
      hint: 'a backup holds every secret of the platform, so it is always encrypted: `delos backup --new-key FILE` makes a key',
    });
  }
  const encrypter = new Encrypter();
  if (passphraseFile !== undefined) encrypter.setPassphrase(passphraseIn(passphraseFile));
  for (const recipient of to) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw new DelosError('ERR_USAGE', `--to ${JSON.stringify(recipient)} is no age recipient`, {
        hint: 'expected what `delos backup --new-key FILE` or `age-keygen` prints: age1 and 58 letters and digits',
        cause,
      });
    }
  }
  return encrypter;
}

/** @throws DelosError ERR_USAGE for no way to open it, for two, and for a file without a key */
export function decrypterFor({ key, passphraseFile }: OpenOptions): Decrypter {
  const decrypter = new Decrypter();
  if (passphraseFile !== undefined && key === undefined) {
    decrypter.addPassphrase(passphraseIn(passphraseFile));
    return decrypter;
  }
  if (key === undefined || passphraseFile !== undefined) {
    throw new DelosError('ERR_USAGE', 'expected --key FILE or --passphrase-file FILE, one of them', {
      hint: 'what the backup was encrypted for: the key file of `delos backup --new-key`, or the same passphrase',
    });
  }
  const lines = textOf(key)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  try {
    if (lines.length === 0) throw new Error('no line');
    for (const line of lines) decrypter.addIdentity(line);
  } catch (cause) {
    // The cause may quote the line, and so the key.
    throw new DelosError('ERR_USAGE', `${key} holds no age key`, {
      hint: 'expected lines that begin with AGE-SECRET-KEY-1, as `delos backup --new-key` writes them',
      where: { file: key },
      cause: cause instanceof Error ? cause.name : undefined,
    });
  }
  return decrypter;
}

/**
 * Makes a key, in a file for its owner alone that must not be there yet.
 * @returns the recipient to encrypt for
 * @throws DelosError ERR_CONFLICT where the file is there
 */
export async function newKey(path: string): Promise<string> {
  const file = resolve(path);
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  try {
    writeFileSync(file, `# public key: ${recipient}\n${identity}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const taken = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new DelosError(taken ? 'ERR_CONFLICT' : 'ERR_USAGE', `${file} ${taken ? 'is there' : 'cannot be written'}`, {
      hint: taken ? 'a key is never overwritten: name another file' : 'name a file in a folder that you can write to',
      where: { file },
      cause,
    });
  }
  return recipient;
}

function passphraseIn(file: string): string {
  const text = textOf(file).replace(/\r?\n$/, '');
  if (text.length >= SHORTEST_PASSPHRASE) return text;
  throw new DelosError('ERR_USAGE', `the passphrase in ${file} is shorter than ${SHORTEST_PASSPHRASE} characters`, {
    hint: 'whoever has the backup can try passphrases for as long as they like: take some random words',
    where: { file },
  });
}

function textOf(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new DelosError('ERR_USAGE', `${file} cannot be read`, { where: { file }, cause });
  }
  if (bytes.length <= MOST_KEY_BYTES) return bytes.toString('utf8');
  throw new DelosError('ERR_USAGE', `${file} has ${bytes.length} bytes: no key or passphrase is so long`, {
    where: { file },
  });
}
