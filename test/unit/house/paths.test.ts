import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, SOURCES } from '../../support/house/rooms.ts';

/** What lies beside the checkout, where it is there at all. */
const BESIDE = /\/shared(\/|$)/;
const WRITTEN = [
  /\bjoin\(\s*import\.meta\.dirname,\s*('[^']+'(?:,\s*'[^']+')*),?\s*\)/g,
  /\bnew URL\(\s*('\.[^']*')\s*,\s*import\.meta\.url\s*\)/g,
];

test('each file and folder that code names by its own place is there', () => {
  const named = SOURCES.flatMap((file) => {
    const code = readFileSync(join(ROOT, file), 'utf8');
    return WRITTEN.flatMap((form) => [...code.matchAll(form)]).map(([, parts = '']) => ({
      file,
      path: join(ROOT, dirname(file), ...[...parts.matchAll(/'([^']+)'/g)].map(([, part = '']) => part)),
    }));
  });
  // No compiler sees these paths: a process that is started by one would only fail when it is.
  expect(named.filter(({ path }) => !BESIDE.test(path) && !existsSync(path))).toEqual([]);
  expect(named.length).toBeGreaterThan(10);
});
