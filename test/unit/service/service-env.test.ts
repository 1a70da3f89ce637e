import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { readEnv } from '../../../runtime/service/src/service-env.ts';

const folder = mkdtempSync(join(tmpdir(), 'delos-env-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const shape = z.object({
  DELOS_URL: z.url(),
  DELOS_X_TOKEN: z.string().min(4, 'expected at least 4 characters'),
  PGPASSWORD: z.string().optional(),
});
const DELOS_URL = 'http://127.0.0.1:1';

test('a secret is the content of the file that its variable names, without the line’s end', () => {
  const env = { DELOS_URL, DELOS_X_TOKEN_FILE: file('token', 'secret\n'), PGPASSWORD_FILE: file('p', 'a b') };
  expect(readEnv(shape, env)).toEqual({ DELOS_URL, DELOS_X_TOKEN: 'secret', PGPASSWORD: 'a b' });
});

test('an optional secret may be left out', () => {
  expect(readEnv(shape, { DELOS_URL, DELOS_X_TOKEN_FILE: file('only', 'secret') }).PGPASSWORD).toBeUndefined();
});

test.each([
  ['in the environment itself', { DELOS_X_TOKEN: 'secret' }, 'DELOS_X_TOKEN: a secret is not taken from here'],
  ['not named', {}, 'DELOS_X_TOKEN_FILE: '],
  ['in a file that is not there', { DELOS_X_TOKEN_FILE: '/nowhere/token' }, '/nowhere/token cannot be read'],
  ['in a folder', { DELOS_X_TOKEN_FILE: folder }, `${folder} cannot be read`],
  ['empty', { DELOS_X_TOKEN_FILE: file('empty', '\n') }, 'no secret is in'],
  ['too short', { DELOS_X_TOKEN_FILE: file('short', 'abc') }, 'DELOS_X_TOKEN_FILE: expected at least 4 characters'],
])('a secret that is %s is refused, and the variable is named', (_what, env, message) => {
  expect(() => readEnv(shape, { DELOS_URL, ...env })).toThrow(message);
});

test('no message shows the secret', () => {
  const secret = 'abc';
  expect(() => readEnv(shape, { DELOS_URL, DELOS_X_TOKEN: secret })).toThrow(/^(?!.*abc)/s);
  expect(() => readEnv(shape, { DELOS_URL, DELOS_X_TOKEN_FILE: file('s', secret) })).toThrow(/^(?!.*abc)/s);
});
