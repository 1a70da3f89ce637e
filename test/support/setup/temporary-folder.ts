import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made = new Set<string>();

/** A new, empty folder, which is gone when the tests of this file have ended, however they ended. @param name what it is for */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `delos-${name}-`));
  made.add(folder);
  return folder;
}

// This file is one of the runner's setup files, so this is done after each file of tests.
afterAll(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
  made.clear();
});
