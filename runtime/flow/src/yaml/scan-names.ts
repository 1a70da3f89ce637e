import { BLANK_OR_END, BREAK, type Cursor, END } from './cursor.ts';
import { syntaxFault } from './syntax-fault.ts';
import * as words from './syntax-words.ts';

/* Anchors, aliases, tags and directives, by the rules of PyYAML's scanner. */

const NAME = /[0-9A-Za-z_-]+/y;
const HANDLE = /!(?:[0-9A-Za-z_-]*!)?/y;
const URI = /(?:[0-9A-Za-z\-;/?:@&=+$,_.!~*'()[\]]|%[0-9A-Fa-f]{2})+/y;
const NUMBERS = /^ *([0-9]+)\.([0-9]+)(?= |$)/;

/** The name behind `&` or `*`. */
export function scanName(cursor: Cursor): string {
  const start = cursor.at;
  const sign = cursor.peek() as '&' | '*';
  cursor.at += 1;
  const name = cursor.take(NAME);
  if (name === '' || !cursor.isOneOf(`${BLANK_OR_END}?:,]}%@\``))
    throw syntaxFault(words.wrongName(sign), { start, end: cursor.at });
  return name;
}

export interface Tag {
  readonly handle: string | undefined;
  readonly suffix: string;
}

export function scanTag(cursor: Cursor): Tag {
  const start = cursor.at;
  const fail = () => syntaxFault(words.wrongTag, { start, end: start + 1 });
  const next = cursor.peek(1);
  let handle: string | undefined;
  let suffix = '!';
  if (next === '<') {
    cursor.at += 2;
    suffix = uri(cursor, fail);
    if (cursor.peek() !== '>') throw fail();
    cursor.at += 1;
  } else if (BLANK_OR_END.includes(next)) cursor.at += 1;
  else {
    const rest = /^[^\0 \r\n\x85\u2028\u2029]*/.exec(cursor.text.slice(cursor.at + 1))?.[0] ?? '';
    handle = rest.includes('!') ? cursor.take(HANDLE) : '!';
    if (!rest.includes('!')) cursor.at += 1;
    else if (handle === '!') throw fail();
    suffix = uri(cursor, fail);
  }
  if (!cursor.isOneOf(` ${BREAK}${END}`)) throw fail();
  return { handle, suffix };
}

function uri(cursor: Cursor, fail: () => Error): string {
  const text = cursor.take(URI);
  if (text === '') throw fail();
  try {
    return decodeURIComponent(text);
  } catch {
    throw fail();
  }
}

/** A directive: its name and its words. The line must hold nothing more. */
export function scanDirective(cursor: Cursor): string {
  const start = cursor.at;
  cursor.restOfLine();
  const line = cursor.text.slice(start + 1, cursor.at);
  const name = /^[0-9A-Za-z_-]+(?=$| )/.exec(line)?.[0];
  const rest = line.slice(name?.length ?? 0);
  const fail = () => syntaxFault(words.wrongDirective, { start, end: cursor.at });
  if (name === undefined) throw fail();
  if (name === 'YAML') {
    const [whole = '', major = ''] = NUMBERS.exec(rest) ?? [];
    if (whole === '' || !/^ *(?:#.*)?$/.test(rest.slice(whole.length))) throw fail();
    return `YAML ${major}`;
  }
  if (name !== 'TAG') return name;
  const [, handle, prefix] = /^ *(!(?:[0-9A-Za-z_-]*!)?) +(\S+) *(?:#.*)?$/.exec(rest) ?? [];
  if (handle === undefined || prefix === undefined) throw fail();
  if (!/^(?:[0-9A-Za-z\-;/?:@&=+$,_.!~*'()[\]]|%[0-9A-Fa-f]{2})+$/.test(prefix)) throw fail();
  return `TAG ${handle} ${prefix}`;
}
