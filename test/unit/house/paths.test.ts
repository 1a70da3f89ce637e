import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, SOURCES } from '../../support/house/rooms.ts';

/** What lies beside the checkout, where it is there at all. */
const BESIDE = /\/shared(\/|$)/;
/** In an instance's state, where a folder is called as a room is. */
const INSTANCE_FILE = 'cluster/spec.json';
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

test('each file and folder of this checkout that a document names is there', () => {
  const listed = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
  const rooms = new Set(listed.filter((file) => file.includes('/')).map((file) => file.split('/', 1)[0]));
  const named = listed
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = readFileSync(join(ROOT, file), 'utf8');
      return [...text.matchAll(/(?<![\w.~/-])[\w-]+(?:\/[\w.@-]*[\w@-])+/g)].map(([path]) => ({ file, path }));
    })
    .filter(({ path }) => rooms.has(path.split('/', 1)[0] ?? '') && path !== INSTANCE_FILE)
    // A word in capitals stands for a name.
    .filter(({ path }) => !path.split('/').some((part) => /^[A-Z]+$/.test(part)));
  expect(named.filter(({ path }) => !existsSync(join(ROOT, path)))).toEqual([]);
  expect(named.length).toBeGreaterThan(50);
});
