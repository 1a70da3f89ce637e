import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyIdOf, rewrap, seal, unseal } from '../../../../runtime/service/src/db/secrets/sealing.ts';
import type { LiveSecret } from '../../../../runtime/service/src/live-secret.ts';

/* How values are encrypted that no row may hold in the clear. */

const keys = (current: string, ...others: readonly string[]): LiveSecret => ({
  current: () => current,
  accepted: () => [current, ...others],
});
const OLD = 'the-old-key-0123456789';
const NEW = 'the-new-key-0123456789';

test('any value comes back, and stands nowhere in what is kept of it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 4000 }), fc.string(), (bytes, place) => {
      const value = Buffer.from(bytes);
      const row = seal(keys(OLD), place, value);
      expect(unseal(keys(OLD), place, row)).toEqual(value);
      expect(row.sealed.includes(value)).toBe(false);
    }),
  );
});

test('the same value twice is kept in two ways', () => {
  const [one, two] = [seal(keys(OLD), 'p', Buffer.from('value')), seal(keys(OLD), 'p', Buffer.from('value'))];
  expect(one.sealed.equals(two.sealed)).toBe(false);
  expect(one.wrapped_key.equals(two.wrapped_key)).toBe(false);
});

test('a row tells which key it needs, and nothing of that key', () => {
  const row = seal(keys(OLD), 'p', Buffer.from('value'));
  expect(row.key_id).toBe(keyIdOf(OLD));
  expect(row.key_id).toMatch(/^[0-9a-f]{16}$/);
  expect(keyIdOf(NEW)).not.toBe(row.key_id);
});

test.each<[string, (row: ReturnType<typeof seal>) => Buffer | undefined]>([
  ['the key is another one', (row) => unseal(keys(NEW), 'p', row)],
  ['it was moved to another place', (row) => unseal(keys(OLD), 'q', row)],
  ['its value was changed', (row) => unseal(keys(OLD), 'p', { ...row, sealed: flipped(row.sealed) })],
  ['its key was changed', (row) => unseal(keys(OLD), 'p', { ...row, wrapped_key: flipped(row.wrapped_key) })],
  ['it was cut off', (row) => unseal(keys(OLD), 'p', { ...row, sealed: row.sealed.subarray(0, 10) })],
  [
    'the value is that of another row',
    (row) => unseal(keys(OLD), 'p', { ...row, sealed: seal(keys(OLD), 'p', Buffer.from('x')).sealed }),
  ],
])('nothing comes back where %s', (_what, open) => {
  expect(open(seal(keys(OLD), 'p', Buffer.from('value')))).toBeUndefined();
});

test('while the key is rotated both open, and afterwards the new one alone', () => {
  const value = randomBytes(100_000);
  const row = seal(keys(OLD), 'p', value);
  // `accept both`, `use the new`, and a replica that sees the files a moment later than another.
  expect(unseal(keys(OLD, NEW), 'p', seal(keys(NEW, OLD), 'p', value))).toEqual(value);
  expect(unseal(keys(NEW, OLD), 'p', row)).toEqual(value);
  const wrapped = rewrap(keys(NEW, OLD), 'p', row);
  expect(wrapped?.key_id).toBe(keyIdOf(NEW));
  const after = { ...row, ...wrapped };
  expect(unseal(keys(NEW), 'p', after)).toEqual(value);
  expect(unseal(keys(OLD), 'p', after)).toBeUndefined();
  expect(rewrap(keys(NEW), 'p', row)).toBeUndefined();
});

/** One bit of the last byte is another. */
function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}
