import { DelosError } from '@delos/core';

/**
 * Splits a command line into words by the rules of POSIX shells for quoting alone (no expansion, operators are plain
 * text), as Python's `shlex.split` does: the client joins words by its counterpart.
 * @throws DelosError ERR_REQUEST for an open quote or a trailing backslash
 */
export function splitWords(text: string, field: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charAt(index);
    if (quote === undefined && /[ \t\r\n]/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (quote === undefined && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else if (char === quote) {
      quote = undefined;
    } else if (char === '\\' && quote !== "'") {
      const next = text[index + 1];
      if (next === undefined) throw broken(field, 'ends in a backslash');
      // Within double quotes a backslash quotes itself and the quote only.
      const kept = quote === '"' && next !== '"' && next !== '\\' ? char + next : next;
      word = (word ?? '') + kept;
      index += 1;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== undefined) throw broken(field, `has a quote (${quote}) that is not closed`);
  if (word !== undefined) words.push(word);
  return words;
}

function broken(field: string, what: string): DelosError {
  return new DelosError('ERR_REQUEST', `${what}`, { where: { field }, hint: 'quote it as a shell would need it' });
}
