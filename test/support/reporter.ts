import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { Reporter, TestModule } from 'vitest/node';

/** Failures that are told in one line each, at the most: a run that fails in all parts is read from its top. */
const MOST_FAILURES = 50;
/** Characters of such a line, at the most: of what was expected, and of what was there instead. */
const MOST_CHARACTERS = 300;
const MOST_OF_ACTUAL = 600;

/**
 * Closes a run with what failed, one line each, and the line that CI reads: `N passed, N failed`. A module that could not
 * load counts as failed.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly { readonly message?: string }[]): void {
    let passed = 0;
    let failed = errors.length;
    let skipped = 0;
    const failures = errors.map(({ message }) => lineOf('outside of a test', message));
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId);
      if (module.errors().length > 0) {
        failed += 1;
        failures.push(lineOf(file, module.errors()[0]?.message));
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed += 1;
        else if (result.state === 'failed') {
          failed += 1;
          failures.push(lineOf(`${file} > ${test.fullName}`, result.errors[0]?.message, result.errors[0]?.actual));
        } else skipped += 1;
      }
    }
    const { DELOS_TEST_COUNTS: file } = process.env;
    const told = failures.slice(0, MOST_FAILURES);
    const closing = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    // `delos test` adds up several runners.
    if (file === undefined) process.stdout.write(['', ...told, closing, ''].join('\n'));
    else writeFileSync(file, JSON.stringify({ passed, failed, skipped, failures: told }));
  }
}

function lineOf(place: string, message: string | undefined, actual?: unknown): string {
  const first = stripVTControlCharacters(message ?? 'no message').split('\n', 1)[0] ?? '';
  const line = `FAILED ${place}: ${first}`.slice(0, MOST_CHARACTERS);
  // The message cuts long values, often before the part that differs.
  if (typeof actual !== 'string') return line;
  return `${line}; it was ${JSON.stringify(stripVTControlCharacters(actual)).slice(0, MOST_OF_ACTUAL)}`;
}
