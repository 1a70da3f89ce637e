import type { Cursor } from './cursor.ts';
import type { Span } from './node.ts';
import { type FaultError, syntaxFault } from './syntax-fault.ts';
import * as words from './syntax-words.ts';
import type { Token } from './token.ts';

/*
 * Reading stops some way behind a mistake: an unclosed quote is noticed at the end of the file. Here the cause is looked
 * for, and its place told.
 */

const GLUED = /^([A-Za-z_][\w.-]*):(?!\/\/)([^\s:].*)$/;

/** A text stands where only `key: value` can. */
export function missingColon(text: string, at: number): FaultError {
  const line = lineFrom(text, at);
  const [, key, value] = GLUED.exec(line) ?? [];
  if (key !== undefined && value !== undefined) return gluedColon(at, key, value);
  return syntaxFault(words.noColon(line), { start: at, end: at + line.length });
}

/** A colon stands where none can: in a value, or on a line that was read as part of the one above. */
export function strayColon(cursor: Cursor, last: Token | undefined, levels: readonly number[]): FaultError {
  const { text, at } = cursor;
  const colon: Span = { start: at, end: at + 1 };
  if (last?.type !== 'scalar') return syntaxFault(words.secondColon, colon);
  if (last.endLine > last.line && isQuoted(last)) return lateQuote(last);
  if (last.style !== '') return syntaxFault(words.secondColon, colon);
  if (last.endLine > last.line) {
    const [, key, value] = GLUED.exec(lineFrom(text, last.start)) ?? [];
    if (key !== undefined && value !== undefined) return gluedColon(last.start, key, value);
    const start = lineStart(text, last.end);
    const begin = start + (/^ */.exec(text.slice(start, at))?.[0].length ?? 0);
    const deeper = begin - start > (levels.at(-1) ?? 0);
    return syntaxFault(deeper ? words.tooFarIn : words.secondColon, { start: begin, end: at });
  }
  const line = text.slice(lineStart(text, at), at) + lineFrom(text, at);
  const [, key = '', value = ''] = /^[ -]*([\w.-]+): +(.*)$/.exec(line) ?? [];
  return syntaxFault(words.colonInValue(key, value), colon);
}

/** A block goes on with what cannot stand in it. `before` is the token before that. */
export function brokenBlock(
  text: string,
  kind: 'mapping' | 'sequence',
  found: Token,
  before: Token | undefined,
  levels: readonly number[],
): FaultError {
  const span = { start: found.start, end: Math.max(found.end, found.start + 1) };
  if (before !== undefined && isQuoted(before) && before.endLine > before.line) return lateQuote(before);
  switch (found.type) {
    case 'mapping':
    case 'sequence': {
      const above = indentAbove(text, found.start);
      if (found.column > above) return syntaxFault(words.tooFarIn, span);
      return syntaxFault(words.noLevel(levels.filter((column) => column !== found.column)), span);
    }
    case '-':
      return syntaxFault(words.itemAmongKeys, span);
    case 'key':
      return syntaxFault(kind === 'sequence' ? words.keyAmongItems : words.afterValue, span);
    case ':':
      return syntaxFault(words.secondColon, span);
    default:
      return syntaxFault(words.afterValue, span);
  }
}

/** Brackets hold what cannot stand there, or are not closed. */
export function brokenBrackets(open: Token, found: Token, before: Token | undefined): FaultError {
  if (before !== undefined && isQuoted(before) && before.endLine > before.line) return lateQuote(before);
  const unclosed =
    found.type === 'end' || (found.line > open.line && [':', '-', 'key', '---', '...'].includes(found.type));
  if (unclosed) return syntaxFault(words.unclosedBracket(open.type), open);
  const span = { start: found.start, end: Math.max(found.end, found.start + 1) };
  return syntaxFault(words.inBrackets(open.type, described(found)), span);
}

/** A token in a person's words. */
export function described({ type, text }: Token): string {
  switch (type) {
    case 'end':
      return 'the end of the file';
    case 'scalar':
      return `\`${text.length > 40 ? `${text.slice(0, 39)}…` : text}\``;
    case 'mapping':
    case 'key':
      return 'a key';
    case 'sequence':
      return 'a list';
    case 'block end':
      return 'nothing';
    case 'alias':
      return `\`*${text}\``;
    case 'anchor':
      return `\`&${text}\``;
    case 'tag':
      return 'a tag';
    case 'directive':
      return 'a directive';
    default:
      return `\`${type}\``;
  }
}

const isQuoted = ({ type, style }: Token): boolean => type === 'scalar' && (style === '"' || style === "'");

/** A text in quotes went on to the next quote, which was to open another one. */
function lateQuote({ start, endLine }: Token): FaultError {
  return syntaxFault(words.lateQuote(endLine + 1), { start, end: start + 1 });
}

function gluedColon(at: number, key: string, value: string): FaultError {
  const start = at + key.length;
  return syntaxFault(words.noBlank(key, value), { start, end: start + 1 });
}

const lineStart = (text: string, at: number): number => {
  const found = /[\n\r\x85\u2028\u2029][^\n\r\x85\u2028\u2029]*$/.exec(text.slice(0, at));
  return found === null ? 0 : found.index + 1;
};

/** The rest of a line without its comment. */
const lineFrom = (text: string, at: number): string =>
  (/^[^\n\r\x85\u2028\u2029]*/.exec(text.slice(at))?.[0] ?? '').replace(/ #.*$/, '').trimEnd();

/** Blanks before the last line above that is no comment and not blank. */
function indentAbove(text: string, at: number): number {
  const lines = text.slice(0, lineStart(text, at)).split('\n');
  const line = lines.findLast((one) => !/^\s*(?:#|$)/.test(one)) ?? '';
  return /^ */.exec(line)?.[0].length ?? 0;
}
