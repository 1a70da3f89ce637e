import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { compilerOptions, REPOSITORY } from '../../support/docs/compiler.ts';

const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');
const EXAMPLE = join(REPOSITORY, 'docs/examples/two-teams.ts');

describe('the example of the README', () => {
  test('is the file that it names', () => {
    const shown = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
    expect(shown).toBe(readFileSync(EXAMPLE, 'utf8'));
    expect(readme).toContain('docs/examples/two-teams.ts');
  });

  test('is about thirty lines long', () => {
    expect(readFileSync(EXAMPLE, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(35);
  });

  test('compiles under the strict rules of the project', () => {
    const program = ts.createProgram([EXAMPLE], compilerOptions());
    const faults = ts
      .getPreEmitDiagnostics(program, program.getSourceFile(EXAMPLE))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
    expect(faults).toEqual([]);
  });

  test('prints the objects of a platform with both teams in it', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE], { maxBuffer: 2 ** 24 });
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as Readonly<Record<string, unknown>>);
    const named = (kind: string, name: string) =>
      objects.find((each) => each.kind === kind && (each.metadata as { name: string }).name === name);
    expect(named('Deployment', 'scheduler')).toBeDefined();
    const { data = {} } = (named('ConfigMap', 'platform') ?? {}) as {
      readonly data?: Readonly<Record<string, string>>;
    };
    const platform = JSON.parse(data['platform.json'] ?? '{}');
    expect(platform).toMatchObject({
      organizations: [{ projects: [{ name: 'speech', guarantee: { gpu: 16 } }, { name: 'vision' }] }],
    });
  });
});

test('every file to which the README links is there', () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path);
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
});

test('the licence is the one that package.json names, whole', () => {
  const { license } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { license: string };
  const text = readFileSync(join(REPOSITORY, 'LICENSE'), 'utf8');
  expect(license).toBe('Apache-2.0');
  expect(text).toContain('Version 2.0, January 2004');
  expect(text).toContain('END OF TERMS AND CONDITIONS');
});
