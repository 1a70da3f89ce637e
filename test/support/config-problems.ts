import { parseConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { expect } from 'vitest';

interface Problem {
  readonly where: { readonly line: number; readonly column: number; readonly field?: string };
  readonly message: string;
}

/** What is wrong with a delos.yaml of that text. */
export function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfig(text, 'delos.yaml');
  } catch (error) {
    if (error instanceof DelosError) return error.data.problems as readonly Problem[];
    throw error;
  }
  return [];
}

/** Refused at the place that `▸` marks. */
export function expectRefused(marked: string, field: string, says: RegExp): void {
  const before = marked.slice(0, marked.indexOf('▸')).split('\n');
  const [problem, ...more] = problemsOf(marked.replace('▸', ''));
  expect(more).toEqual([]);
  expect(problem).toMatchObject({ where: { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, field } });
  expect(problem?.message).toMatch(says);
}
