import { instancePaths } from '@delos/core';
import { expect, test } from 'vitest';

test('two instances share the cache and nothing else', () => {
  const env = { HOME: '/home/a' };
  const one = instancePaths('one', env);
  const two = instancePaths('two', env);
  expect(one.cache).toBe('/home/a/.cache/delos');
  expect(two.cache).toBe(one.cache);
  expect(two.state).not.toBe(one.state);
  expect(two.run).not.toBe(one.run);
});

test('XDG folders are honoured when absolute, as the specification says', () => {
  expect(instancePaths('delos', { HOME: '/h', XDG_CACHE_HOME: '/c', XDG_STATE_HOME: 'relative' })).toMatchObject({
    cache: '/c/delos',
    state: '/h/.local/state/delos/delos',
  });
});

test.each(['', 'UPPER', '-x', 'a/b', '../x', 'a'.repeat(21)])('the instance name %j is refused', (name) => {
  expect(() => instancePaths(name, { HOME: '/h' })).toThrow(/instance name/);
});
