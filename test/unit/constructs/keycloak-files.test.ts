import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CONFIGURATION } from '../../../constructs/src/services/keycloak/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'delos-keycloak-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes the configuration from these secrets. @returns its path */
function configured(database: string, admin: string): string {
  for (const [file, value] of [
    ['database/password', database],
    ['admin/client-secret', admin],
  ] as const) {
    mkdirSync(join(folder, file, '..'));
    writeFileSync(join(folder, file), value);
  }
  const conf = join(folder, 'keycloak.conf');
  execFileSync('sh', ['-euc', CONFIGURATION], {
    env: { PATH: process.env.PATH, KEYCLOAK_SECRETS: folder, KEYCLOAK_CONF: conf },
    stdio: 'pipe',
  });
  return conf;
}

test('the configuration holds both secrets, and its user alone reads it', () => {
  const conf = configured('d-_A9.=+/~@%^,:', 'client\n');
  expect(readFileSync(conf, 'utf8')).toBe('db-password=d-_A9.=+/~@%^,:\nbootstrap-admin-client-secret=client\n');
  expect(statSync(conf).mode & 0o777).toBe(0o600);
});

test.each(['', 'a b', 'a\\b', '$' + '{env.HOME}', '#a', '!a', 'two\nlines', 'é', '"a"'])(
  '%j is no secret that it takes',
  (value) => {
    expect(() => configured(value, 'client')).toThrow('database/password is empty or holds a character');
  },
);
