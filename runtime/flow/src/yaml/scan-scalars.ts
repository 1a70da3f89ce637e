import { BLANK_OR_END, BREAK, type Cursor, END } from './cursor.ts';
import { syntaxFault } from './syntax-fault.ts';
import * as words from './syntax-words.ts';

/*
 * Scalars, read by the rules of PyYAML's scanner, which are looser than those of the specification: quoted texts need
 * no indentation, and a tab ends a plain one.
 */

const PLAIN = /(?:[^\0 \t\r\n\x85\u2028\u2029:]|:(?=[^ \t\r\n\x85\u2028\u2029]))+/y;
/** In brackets, their signs end a plain value too. */
const PLAIN_INSIDE = /(?:[^\0 \t\r\n\x85\u2028\u2029:,?[\]{}]|:(?=[^ \t\r\n\x85\u2028\u2029,[\]{}]))+/y;
const SPACES = / +/y;

export interface Plain {
  readonly text: string;
  readonly end: number;
  readonly endLine: number;
  /** It went past a line end: a key may follow. */
  readonly newLine: boolean;
}

/** A plain value, on one line or more. `indent` is that of the block around it. */
export function scanPlain(cursor: Cursor, indent: number, inside: boolean): Plain {
  let text = '';
  let gap = '';
  let end = cursor.at;
  let endLine = cursor.line;
  let newLine = false;
  while (cursor.peek() !== '#') {
    const run = cursor.take(inside ? PLAIN_INSIDE : PLAIN);
    if (run === '') break;
    newLine = false;
    text += gap + run;
    end = cursor.at;
    endLine = cursor.line;
    gap = cursor.take(SPACES);
    if (cursor.isBreak) {
      newLine = true;
      gap = plainBreaks(cursor);
    }
    if (gap === '' || (!inside && cursor.column <= indent)) break;
  }
  return { text, end, endLine, newLine };
}

/** Line ends within a plain value, as they are read; the empty text where a document ends there. */
function plainBreaks(cursor: Cursor): string {
  const first = cursor.lineBreak();
  let more = '';
  for (;;) {
    if (cursor.isDocumentMark('---') || cursor.isDocumentMark('...')) return '';
    while (cursor.peek() === ' ') cursor.at += 1;
    if (!cursor.isBreak) break;
    more += cursor.lineBreak();
  }
  return folded(first, more);
}

/** One line end stands for a blank, more for all but the first. */
const folded = (first: string, more: string): string => (first !== '\n' ? first + more : more === '' ? ' ' : more);

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '\\': '\\',
  '/': '/',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
};
const DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const RUN = /[^'"\\\0 \t\r\n\x85\u2028\u2029]+/y;
const WHITE = /[ \t]+/y;

/** A text in quotes; the cursor stands on the first. */
export function scanQuoted(cursor: Cursor): string {
  const start = cursor.at;
  const quote = cursor.peek();
  cursor.at += 1;
  let text = '';
  for (;;) {
    text += cursor.take(RUN);
    const sign = cursor.peek();
    if (sign === quote) {
      cursor.at += 1;
      if (quote === '"' || cursor.peek() !== quote) return text;
      text += quote;
      cursor.at += 1;
    } else if (sign === '\\' && quote === '"') {
      cursor.at += 1;
      text += escaped(cursor, start);
    } else if (sign === END) throw syntaxFault(words.unclosedQuote, { start, end: start + 1 });
    else if (` \t${BREAK}`.includes(sign)) {
      const white = cursor.take(WHITE);
      text += cursor.isBreak ? folded(cursor.lineBreak(), quotedBreaks(cursor, start)) : white;
    } else {
      text += sign;
      cursor.at += 1;
    }
  }
}

/** Blank lines and indentation within a text in quotes. */
function quotedBreaks(cursor: Cursor, start: number): string {
  let breaks = '';
  for (;;) {
    if (cursor.isDocumentMark('---') || cursor.isDocumentMark('...'))
      throw syntaxFault(words.unclosedQuote, { start, end: start + 1 });
    cursor.take(WHITE);
    if (!cursor.isBreak) return breaks;
    breaks += cursor.lineBreak();
  }
}

function escaped(cursor: Cursor, quote: number): string {
  const sign = cursor.peek();
  const start = cursor.at - 1;
  if (BREAK.includes(sign)) {
    cursor.lineBreak();
    return quotedBreaks(cursor, quote);
  }
  const length = DIGITS[sign];
  if (length === undefined) {
    const known = ESCAPES[sign];
    if (known === undefined) {
      if (sign === END) throw syntaxFault(words.unclosedQuote, { start: quote, end: quote + 1 });
      throw syntaxFault(words.unknownEscape(sign), { start, end: start + 2 });
    }
    cursor.at += 1;
    return known;
  }
  const digits = cursor.text.slice(cursor.at + 1, cursor.at + 1 + length);
  const code = /^[0-9A-Fa-f]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : undefined;
  if (code === undefined || code > 0x10ffff)
    throw syntaxFault(words.wrongEscape(sign, length), { start, end: start + 2 });
  cursor.at += 1 + length;
  return String.fromCodePoint(code);
}

export interface BlockText {
  readonly text: string;
  /** Behind the last line that is not blank. */
  readonly end: number;
  readonly endLine: number;
}

const HEADER = /[|>](?:([+-])([0-9])?|([0-9])([+-])?)?/y;

/** A text on the lines below `|` or `>`. `indent` is that of the block around it. */
export function scanBlockText(cursor: Cursor, indent: number): BlockText {
  const start = cursor.at;
  const isFolded = cursor.peek() === '>';
  const header = cursor.take(HEADER);
  const digit = /[0-9]/.exec(header)?.[0];
  if (digit === '0') throw syntaxFault(words.blockIndent, { start, end: cursor.at });
  endOfHeader(cursor, header);
  let end = cursor.at;
  let endLine = cursor.line;
  const least = Math.max(1, indent + 1);
  let own = digit === undefined ? least : least + Number(digit) - 1;
  let blank = digit === undefined ? '' : blankLines(cursor, own);
  if (digit === undefined) {
    const first = firstLines(cursor);
    own = Math.max(least, first.column);
    blank = first.breaks;
  }
  let text = '';
  let lineBreak = '';
  while (cursor.column === own && cursor.peek() !== END) {
    text += blank;
    const indented = cursor.isOneOf(' \t');
    const from = cursor.at;
    cursor.restOfLine();
    text += cursor.text.slice(from, cursor.at);
    lineBreak = cursor.lineBreak();
    end = cursor.at;
    endLine = cursor.line;
    blank = blankLines(cursor, own);
    if (cursor.column !== own || cursor.peek() === END) break;
    if (!isFolded || lineBreak !== '\n' || indented || cursor.isOneOf(' \t')) text += lineBreak;
    else if (blank === '') text += ' ';
  }
  if (!header.includes('-')) text += lineBreak;
  if (header.includes('+')) text += blank;
  return { text, end, endLine };
}

function endOfHeader(cursor: Cursor, header: string): void {
  if (!cursor.isOneOf(BLANK_OR_END) || cursor.peek() === '\t')
    throw syntaxFault(words.blockHeader(header), { start: cursor.at, end: cursor.at + 1 });
  cursor.spaces();
  if (cursor.peek() === '#') cursor.restOfLine();
  if (!cursor.isOneOf(BREAK + END))
    throw syntaxFault(words.blockHeader(header), { start: cursor.at, end: cursor.at + 1 });
  cursor.lineBreak();
}

/** Blank lines before the first line of a text, and the furthest column that they, or it, begin at. */
function firstLines(cursor: Cursor): { readonly breaks: string; readonly column: number } {
  let breaks = '';
  let column = 0;
  for (;;) {
    cursor.spaces();
    column = Math.max(column, cursor.column);
    if (!cursor.isBreak) return { breaks, column };
    breaks += cursor.lineBreak();
  }
}

/** Line ends, and blanks up to a column. */
function blankLines(cursor: Cursor, column: number): string {
  let breaks = '';
  cursor.spaces(column);
  while (cursor.isBreak) {
    breaks += cursor.lineBreak();
    cursor.spaces(column);
  }
  return breaks;
}
