import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { decrypterFor, encrypterFor, newKey } from '../../../../cli/src/commands/backup/keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'delos-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(text: string | Buffer): string {
  const path = join(folder, `file-${Math.abs(text.length)}-${String(text).length}`);
  writeFileSync(path, text);
  return path;
}

describe('keys of backups', () => {
  test('a new key opens what its recipient can read, and never overwrites a file', async () => {
    const file = join(folder, 'key');
    const recipient = await newKey(file);
    expect(recipient).toMatch(/^age1[0-9a-z]{58}$/);
    expect(readFileSync(file, 'utf8')).toMatch(/^# public key: age1[0-9a-z]{58}\nAGE-SECRET-KEY-1[0-9A-Z]{58}\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const bytes = await encrypterFor({ to: [recipient] }).encrypt('words');
    expect(await decrypterFor({ key: file }).decrypt(bytes, 'text')).toBe('words');
    await expect(newKey(file)).rejects.toMatchObject({ code: 'ERR_CONFLICT' });
  });

  test.each([
    ['no way to open it', {}, /expected --to RECIPIENT or --passphrase-file FILE/],
    ['two ways', { to: ['age1x'], passphraseFile: '/x' }, /one of them/],
    ['a recipient that is none', { to: ['age1abc'] }, /--to "age1abc" is no age recipient/],
    ['a secret key in place of a recipient', { to: ['AGE-SECRET-KEY-1ABC'] }, /is no age recipient/],
    ['a short passphrase', { passphraseFile: fileOf('short\n') }, /shorter than 12 characters/],
    ['a passphrase file that is not there', { passphraseFile: join(folder, 'none') }, /cannot be read/],
    ['a passphrase file that is far too long', { passphraseFile: fileOf(Buffer.alloc(70_000)) }, /70000 bytes/],
  ])('to write, %s is refused', (_, options, message) => {
    expect(() => encrypterFor(options)).toThrow(message);
  });

  test.each([
    ['no key', {}, /expected --key FILE or --passphrase-file FILE/],
    ['two', { key: '/x', passphraseFile: '/y' }, /one of them/],
    ['a file without a key', { key: fileOf('# public key: age1…\n') }, /holds no age key/],
    ['a file with other words', { key: fileOf('a secret that is no key') }, /holds no age key/],
  ])('to read, %s is refused', (_, options, message) => {
    expect(() => decrypterFor(options)).toThrow(message);
  });

  test('a line that is no key is not repeated', () => {
    const key = fileOf('AGE-SECRET-KEY-1ALMOSTAKEY');
    const error = (() => {
      try {
        return decrypterFor({ key });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify(error)).not.toContain('ALMOST');
  });
});
