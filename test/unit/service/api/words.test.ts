import { isDelosError } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitWords } from '../../../../runtime/service/src/api/resources/jobs/shlex.ts';

test.each<[string, readonly string[]]>([
  ['', []],
  ['  \t\n ', []],
  ['echo a  b', ['echo', 'a', 'b']],
  ["echo 'a b' c", ['echo', 'a b', 'c']],
  ['a"b c"d', ['ab cd']],
  ["''", ['']],
  ['""', ['']],
  ["'a'\"'\"'b'", ["a'b"]],
  ['a\\ b', ['a b']],
  ['"a\\"b"', ['a"b']],
  ['"a\\nb"', ['a\\nb']],
  ["'a\\'", ['a\\']],
  ['a && b > c $HOME `x` #d *', ['a', '&&', 'b', '>', 'c', '$HOME', '`x`', '#d', '*']],
])('%j is split as a shell would, without expanding anything', (text, words) => {
  expect(splitWords(text, 'command')).toEqual(words);
});

test.each(["'a", '"a', 'a\\', '"a\\"'])('%j is not a command line', (text) => {
  expect(() => splitWords(text, 'command')).toThrow(expect.toSatisfy((error) => isDelosError(error, 'ERR_REQUEST')));
});

test('words that are quoted and joined come back as they were', () => {
  const quote = (word: string): string => `'${word.replaceAll("'", `'"'"'`)}'`;
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
      expect(splitWords(words.map(quote).join(' '), 'command')).toEqual(words);
    }),
  );
});
