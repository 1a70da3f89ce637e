import { isDelosError } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  checkedQuery,
  checkTexts,
  decodedBody,
  decodedPath,
  textFault,
} from '../../../runtime/service/src/edge/text.ts';

const NUL = '\0';

function refusal(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!isDelosError(error, 'ERR_REQUEST')) throw error;
    return `${error.where?.field ?? ''}: ${error.message}`;
  }
}

test.each<[string, unknown, RegExp]>([
  ['a NUL', { name: `a${NUL}` }, /^name: must not hold a NUL/],
  ['half of a surrogate pair', { env: { A: '\ud800' } }, /^env\.A: .*surrogate/],
  ['the other half', { tags: ['x', '\udc00'] }, /^tags\.1: .*surrogate/],
  ['a key with a NUL', { env: { [`A${NUL}`]: '' } }, /^env: must not hold a NUL/],
  ['a key that is half of a pair', { '\ud800': 1 }, /^name of a field: .*surrogate/],
])('%s in a value is refused, and the field is named', (_what, value, message) => {
  expect(refusal(() => checkTexts(value))).toMatch(message);
});

test.each<[string, string, RegExp | undefined]>([
  ['a byte that is not UTF-8', '?name=%ff', /^name: is not percent-encoded UTF-8/],
  ['a surrogate in UTF-8', '?name=%ed%a0%80', /^name: is not percent-encoded UTF-8/],
  ['a lone percent sign', '?name=50%', /^name: is not percent-encoded UTF-8/],
  ['a NUL', '?owner=a&name=%00', /^name: must not hold a NUL/],
  ['a key that is not UTF-8', '?%ff=1', /^query: a key is not valid/],
  ['plain text', '?name=%C3%A4&tag=a+b&from_preset', undefined],
  ['nothing', '', undefined],
])('a query with %s', (_what, search, message) => {
  const told = refusal(() => checkedQuery(search));
  if (message === undefined) expect(told).toBeUndefined();
  else expect(told).toMatch(message);
});

test('a plus sign is a space in a query, and itself in a path', () => {
  expect(checkedQuery('?tag=a+b').get('tag')).toBe('a b');
  expect(decodedPath('a+b', 'id')).toBe('a+b');
});

test('a body is UTF-8 or refused', () => {
  expect(decodedBody(Buffer.from('{"a":"ä"}'))).toBe('{"a":"ä"}');
  expect(refusal(() => decodedBody(Buffer.from([0x22, 0xff, 0x22])))).toMatch(/^body: the text is not UTF-8/);
});

test('law: a text passes if and only if UTF-8 carries it unchanged and it has no NUL', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
      (text) => {
        const carried = Buffer.from(text).toString() === text && !text.includes(NUL);
        expect(textFault(text) === undefined).toBe(carried);
      },
    ),
  );
});
