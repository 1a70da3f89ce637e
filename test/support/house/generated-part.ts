import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './rooms.ts';

/**
 * A document with one generated part, between the comments `<!-- NAME: generated -->` and `<!-- NAME: end -->`.
 * @returns its file, and its text with this content
 */
export function generatedPart(
  document: string,
  name: string,
  content: string,
): { readonly file: string; readonly expected: string } {
  const file = join(ROOT, document);
  const text = readFileSync(file, 'utf8');
  const begin = `<!-- ${name}: generated -->`;
  const end = `<!-- ${name}: end -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document} has no part ${begin} … ${end}`);
  return { file, expected: `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}` };
}
