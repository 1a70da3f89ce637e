import { expect, test } from 'vitest';
import { plainOf, resourcesIn, tryExportedSecret } from '../../../stacks/src/driver/export.ts';

const SECRET = {
  '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270',
  plaintext: '{"password":"abc"}',
};

test('a secret of an exported state is known by its mark, and gives its value', () => {
  expect(tryExportedSecret(SECRET)).toEqual({ value: { password: 'abc' } });
  expect(tryExportedSecret({ plaintext: '1' })).toBeUndefined();
  expect(tryExportedSecret('abc')).toBeUndefined();
});

test('values are plain wherever secrets stand in them', () => {
  expect(plainOf({ data: SECRET, list: [SECRET, 1, null], text: 'x' })).toEqual({
    data: { password: 'abc' },
    list: [{ password: 'abc' }, 1, null],
    text: 'x',
  });
});

test('a stack without resources has none', () => {
  expect(resourcesIn('{"version":3,"deployment":{}}')).toEqual([]);
});
