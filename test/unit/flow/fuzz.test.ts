import {
  EvalFault,
  evaluateTemplate,
  expandFlow,
  formatFlow,
  LogCommands,
  PythonError,
  parseFlowFile,
  parseTemplate,
  repr,
  SyntaxFault,
} from '@delos/runtime';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scopeOfData } from '../../support/flow/answer.ts';
import { worldOf } from '../../support/flow/cases.ts';
import { CORPUS } from '../../support/flow/corpus.ts';
import { CONTEXT, ExpressionMaker } from '../../support/flow/expressions.ts';
import { seeded } from '../../support/random.ts';

// Random changes to what is known to reach deep. Coverage does not guide them: the corpus does.
const RUNS = process.env.DELOS_TEST_LONG === undefined ? 300 : 100_000;
const JUNK = [
  '',
  '\n',
  ' ',
  ':',
  '- ',
  '[',
  ']',
  '{',
  '}',
  '*a',
  '&a',
  '${{',
  '}}',
  '$[[',
  '~',
  '"',
  "'",
  '|',
  '>',
  '#',
  '!',
  '\t',
  '%',
  '?',
  '\u0000',
  '\ufeff',
  'é',
  '0',
  '---\n',
  '<<: ',
];
const changes = fc.array(fc.tuple(fc.nat(), fc.nat(8), fc.constantFrom(...JUNK)), { minLength: 1, maxLength: 6 });

function changed(text: string, edits: readonly (readonly [number, number, string])[]): string {
  return edits.reduce((now, [at, cut, junk]) => {
    const place = at % (now.length + 1);
    return now.slice(0, place) + junk + now.slice(place + cut);
  }, text);
}

describe('whatever is read, the answer is a verdict', () => {
  test('files', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(CORPUS)), changes, ({ files, path }, edits) => {
        const text = changed(files[path] as string, edits);
        const file = parseFlowFile(path, text);
        if (file.kind === 'batchFlow' || file.kind === 'liveFlow')
          expandFlow(file, path, worldOf({ ...files, [path]: text }));
        for (const { line, column } of file.report.diagnostics()) {
          expect(line).toBeGreaterThan(0);
          expect(column).toBeGreaterThan(0);
        }
        formatFlow(text, file.kind);
      }),
      { numRuns: RUNS },
    );
  });

  test('expressions', () => {
    const scope = scopeOfData(CONTEXT);
    fc.assert(
      fc.property(fc.nat(), changes, (seed, edits) => {
        const text = changed(new ExpressionMaker(seeded(seed)).template(), edits);
        try {
          repr(evaluateTemplate(parseTemplate(text), scope));
        } catch (error) {
          const known = error instanceof SyntaxFault || error instanceof EvalFault || error instanceof PythonError;
          if (!known) throw error;
        }
      }),
      { numRuns: RUNS * 10 },
    );
  });

  test('logs', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (chunks) => {
        const reader = new LogCommands();
        const shown =
          chunks.map((chunk) => reader.push(chunk).length).reduce((sum, length) => sum + length, 0) +
          reader.end().length;
        expect(shown).toBeLessThanOrEqual(chunks.reduce((sum, { length }) => sum + length, 0));
      }),
      { numRuns: RUNS * 10 },
    );
  });
});
