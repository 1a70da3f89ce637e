import { existsSync, readFileSync } from 'node:fs';
import { DelosError, ERROR_CODES, isDelosError } from '@delos/core';
import { describe, expect, test } from 'vitest';

describe('every error code', () => {
  test.each(Object.entries(ERROR_CODES))('%s has a page that begins with its title', (code, { title }) => {
    const page = new URL(`../../../docs/errors/${code}.md`, import.meta.url);
    expect(existsSync(page)).toBe(true);
    expect(readFileSync(page, 'utf8').split('\n')[0]).toBe(`# ${code}: ${title}`);
  });
});

test('an error shows place, message, what to do and its page in at most five lines', () => {
  const error = new DelosError('ERR_CONFIG_KEY', 'unknown key `domian`', {
    where: { file: 'delos.yaml', line: 1, column: 1, field: 'domian' },
    hint: 'did you mean `domain`?\nsecond line\nthird line\nfourth line',
  });
  const lines = error.render().split('\n');
  expect(lines[0]).toBe('error: delos.yaml:1:1 domian: unknown key `domian`');
  expect(lines[1]).toBe('  did you mean `domain`?');
  expect(lines.length).toBeLessThanOrEqual(5);
});

test('an error keeps its cause and is told apart by its code', () => {
  const cause = new Error('underneath');
  const error: unknown = new DelosError('ERR_TIMEOUT', 'too late', { cause });
  expect(isDelosError(error, 'ERR_TIMEOUT')).toBe(true);
  expect(isDelosError(error, 'ERR_USAGE')).toBe(false);
  expect((error as Error).cause).toBe(cause);
});
