import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../docs/compiler.ts';

/** The shell lines of docs/bundle-format.md that follow a sentence, as a reader copies them. */
export function documented(after: string): string {
  const text = readFileSync(join(REPOSITORY, 'docs/bundle-format.md'), 'utf8');
  const [, rest] = text.split(after, 2);
  const block = /\n\n((?: {4}.*\n)+)/.exec(rest ?? '')?.[1];
  if (block === undefined) throw new Error(`docs/bundle-format.md has no lines after ${JSON.stringify(after)}`);
  return block.replace(/^ {4}/gm, '');
}
