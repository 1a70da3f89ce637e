import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  beginRestorePoint,
  forgetUpgrade,
  keepUpgrade,
  refuseHalfUpgraded,
  restoreNotes,
  restorePoint,
  type UpgradeRecord,
  upgradeOf,
} from '../../../../cli/src/commands/upgrade/record.ts';
import { formerOf, keepFormer } from '../../../../cli/src/commands/upgrade/restore-point.ts';

const RECORD: UpgradeRecord = {
  from: '0.1.0',
  to: '0.2.0',
  phase: 'changing',
  saved: true,
  services: ['postgres'],
  claims: ['data-postgres-0'],
  since: '2026-11-30T12:00:00.000Z',
};
let home: string;
const paths = () => {
  const found = instancePaths('lab', { HOME: home, XDG_STATE_HOME: join(home, 'state') });
  return found;
};
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'delos-upgrade-'));
});
afterEach(() => rmSync(home, { recursive: true }));

test('an upgrade that is not at its end keeps other commands away, and says how to go on and back', () => {
  for (const phase of ['stopping', 'changing', 'going-back'] as const) {
    keepUpgrade(paths(), { ...RECORD, phase });
    expect(() => refuseHalfUpgraded(paths()), phase).toThrow('an upgrade from 0.1.0 to 0.2.0 was interrupted');
  }
  keepUpgrade(paths(), { ...RECORD, phase: 'done' });
  refuseHalfUpgraded(paths());
  forgetUpgrade(paths());
  expect(upgradeOf(paths())).toBeUndefined();
});

test('notes of the former version come back as they were, and what it did not have goes', () => {
  const note = (name: string): string => join(paths().state, name);
  beginRestorePoint(paths());
  forgetUpgrade(paths());
  writeFileSync(note('platform.json'), 'former');
  beginRestorePoint(paths());
  writeFileSync(note('platform.json'), 'next');
  writeFileSync(note('config-file.json'), 'next');
  restoreNotes(paths());
  expect(readFileSync(note('platform.json'), 'utf8')).toBe('former');
  expect(existsSync(note('config-file.json'))).toBe(false);
});

test('what was deployed is kept encrypted, for its owner alone', async () => {
  beginRestorePoint(paths());
  const former = JSON.stringify({ state: 'password-of-ann' });
  await keepFormer(paths(), former);
  const { folder, key, former: file } = restorePoint(paths());
  expect(readFileSync(file, 'utf8')).not.toContain('password-of-ann');
  expect(Buffer.from(readFileSync(file, 'utf8'), 'base64').toString()).not.toContain('password-of-ann');
  for (const path of [key, file]) expect(statSync(path).mode & 0o777, path).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(await formerOf(paths())).toBe(former);
  writeFileSync(file, 'cut off');
  await expect(formerOf(paths())).rejects.toThrow('cannot be read');
});
