import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

/*
 * The linters refuse clocks and chance where time and chance are handed in: their configuration is laid beside files that
 * break it, one statement a line.
 */

const ROOT = join(import.meta.dirname, '../../..');
const CORE = ['scheduling/src/deciding', 'scheduling/src/policies'];
const SERVICE = 'service/src/scheduler';
const PURE = [...CORE, 'placement/src', 'simulator/src'];

const refused: readonly string[] = [
  'export const a = new Date();',
  'export const a = new Date;',
  'export const a = Date();',
  'export const a = Date.now();',
  'export const a = performance.now();',
  'export const a = Math.random();',
];
const refusedInCore: readonly string[] = [
  "export * from 'node:fs';",
  "export * from '@delos/placement';",
  'export const a = crypto.randomUUID();',
];
const accepted: readonly string[] = [
  'export const a = (at: number) => new Date(at).toISOString();',
  'export const a = Date.UTC(2026, 0);',
  'export const a = Math.floor(1.5);',
];
const STATEMENTS = [...refused, ...refusedInCore, ...accepted];

const biomeReport = z.object({
  diagnostics: z.array(z.object({ location: z.object({ path: z.string() }) })),
});
const oxlintReport = z.object({ diagnostics: z.array(z.object({ filename: z.string() })) });

let folder: string;
/** Paths of files in which either linter found something. */
const found = new Set<string>();
const fileOf = (room: string, statement: string): string => `runtime/${room}/s${STATEMENTS.indexOf(statement)}.ts`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'delos-lint-'));
  for (const name of ['biome.json', 'pure-core.grit', '.oxlintrc.json']) cpSync(join(ROOT, name), join(folder, name));
  for (const room of [...PURE, SERVICE]) {
    mkdirSync(join(folder, 'runtime', room), { recursive: true });
    for (const statement of STATEMENTS) writeFileSync(join(folder, fileOf(room, statement)), `${statement}\n`);
  }
  const lint = (command: string, ...args: readonly string[]): unknown =>
    JSON.parse(
      spawnSync(join(ROOT, 'node_modules/.bin', command), args, { cwd: folder, encoding: 'utf8', timeout: 120_000 })
        .stdout,
    );
  const biome = biomeReport.parse(
    lint('biome', 'lint', '--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json', '.'),
  );
  for (const { location } of biome.diagnostics) found.add(location.path);
  for (const { filename } of oxlintReport.parse(lint('oxlint', '-f', 'json', '.')).diagnostics) found.add(filename);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const refusedIn = (room: string): readonly string[] =>
  STATEMENTS.filter((statement) => found.has(fileOf(room, statement)));

test.each(PURE)('%s: neither clock nor chance', (room) => {
  expect(refusedIn(room)).toEqual(CORE.includes(room) ? [...refused, ...refusedInCore] : refused);
});

test('a service has both', () => {
  expect(refusedIn(SERVICE)).toEqual([]);
});
