import { BLANK_OR_END, Cursor, END } from './cursor.ts';
import { PossibleKeys } from './possible-keys.ts';
import { scanDirective, scanName, scanTag } from './scan-names.ts';
import { scanBlockText, scanPlain, scanQuoted } from './scan-scalars.ts';
import { strayColon } from './suspect.ts';
import { syntaxFault } from './syntax-fault.ts';
import * as words from './syntax-words.ts';
import type { Style, Token, TokenType } from './token.ts';

type Mark = Pick<Token, 'start' | 'line' | 'column'>;

/**
 * Cuts a text into tokens as PyYAML's scanner does, with which apolo-flow reads its files: it takes some texts that the
 * specification refuses, and refuses some that it takes. Throws FaultError at the first mistake.
 */
export class Scanner {
  readonly cursor: Cursor;
  #queue: Token[] = [];
  #taken = 0;
  #done = false;
  /** Brackets that are open. */
  #inside = 0;
  #indent = -1;
  #indents: number[] = [];
  #mayBeKey = true;
  readonly #keys: PossibleKeys;
  #last: Token | undefined;

  constructor(text: string) {
    this.cursor = new Cursor(text);
    this.#keys = new PossibleKeys(this.cursor);
    if (this.cursor.peek() === '\ufeff') this.cursor.at += 1;
  }

  /** The next token, which stays. */
  peek(): Token {
    while (this.#needsMore()) this.#fetch();
    return this.#queue[0] as Token;
  }

  take(): Token {
    const token = this.peek();
    this.#queue.shift();
    this.#taken += 1;
    return token;
  }

  /** Columns that blocks around here begin at. */
  get levels(): readonly number[] {
    return [...this.#indents, this.#indent].filter((column) => column >= 0);
  }

  #needsMore(): boolean {
    if (this.#done) return false;
    if (this.#queue.length === 0) return true;
    this.#keys.dropStale();
    return this.#keys.hasToken(this.#taken);
  }

  #fetch(): void {
    const { cursor } = this;
    this.#toNextToken();
    this.#keys.dropStale();
    const { column } = cursor;
    this.#unwind(column);
    const sign = cursor.peek();
    if (sign === END) this.#end();
    else if ((column === 0 && this.#documentSign(sign)) || this.#indicator(sign)) return;
    else if (this.#startsPlain(sign)) this.#plain();
    else throw this.#cannotStart(sign);
  }

  /** Whether the sign here is one of YAML, which is then read. */
  #indicator(sign: string): boolean {
    const apart = this.cursor.isOneOf(BLANK_OR_END, 1);
    const inside = this.#inside !== 0;
    if (sign === '[' || sign === '{') this.#open(sign);
    else if (sign === ']' || sign === '}') this.#close(sign);
    else if (sign === ',') this.#comma();
    else if (sign === '-' && apart) this.#item();
    else if (sign === '?' && (inside || apart)) this.#explicitKey();
    else if (sign === ':' && (inside || apart)) this.#value();
    else if (sign === '*' || sign === '&') this.#name(sign);
    else if (sign === '!') this.#tag();
    else if ((sign === '|' || sign === '>') && !inside) this.#blockText(sign);
    else if (sign === "'" || sign === '"') this.#quoted(sign);
    else return false;
    return true;
  }

  /** Past blanks, comments and line ends. */
  #toNextToken(): void {
    const { cursor } = this;
    for (;;) {
      cursor.spaces();
      if (cursor.peek() === '#') cursor.restOfLine();
      if (cursor.lineBreak() === '') return;
      if (this.#inside === 0) this.#mayBeKey = true;
    }
  }

  #documentSign(sign: string): boolean {
    const { cursor } = this;
    const mark = sign === '-' ? '---' : '...';
    if (sign !== '%' && !cursor.isDocumentMark(mark)) return false;
    this.#unwind(-1);
    this.#forgetKey();
    this.#mayBeKey = false;
    const start = this.#mark();
    if (sign === '%') this.#add('directive', start, scanDirective(cursor));
    else {
      cursor.at += 3;
      this.#add(mark, start);
    }
    return true;
  }

  #end(): void {
    this.#unwind(-1);
    this.#forgetKey();
    this.#keys.clear();
    this.#mayBeKey = false;
    this.#add('end', this.#mark());
    this.#done = true;
  }

  #open(sign: '[' | '{'): void {
    this.#rememberKey();
    this.#inside += 1;
    this.#mayBeKey = true;
    this.#sign(sign);
  }

  #close(sign: ']' | '}'): void {
    this.#forgetKey();
    this.#inside -= 1;
    this.#mayBeKey = false;
    this.#sign(sign);
  }

  #comma(): void {
    this.#mayBeKey = true;
    this.#forgetKey();
    this.#sign(',');
  }

  #item(): void {
    if (this.#inside === 0) {
      if (!this.#mayBeKey) throw syntaxFault(words.itemOnKeyLine, this.#here());
      if (this.#deeper(this.cursor.column)) this.#add('sequence', this.#mark());
    }
    this.#mayBeKey = true;
    this.#forgetKey();
    this.#sign('-');
  }

  #explicitKey(): void {
    if (this.#inside === 0) {
      if (!this.#mayBeKey) throw syntaxFault(words.keyOnKeyLine, this.#here());
      if (this.#deeper(this.cursor.column)) this.#add('mapping', this.#mark());
    }
    this.#mayBeKey = this.#inside === 0;
    this.#forgetKey();
    const start = this.#mark();
    this.cursor.at += 1;
    this.#add('key', start);
  }

  #value(): void {
    const key = this.#keys.take(this.#inside);
    if (key !== undefined) {
      const place = key.token - this.#taken;
      const mark = { type: 'key' as const, start: key.at, end: key.at, line: key.line, endLine: key.line, ...NO_TEXT };
      const begin = { ...mark, column: key.column };
      this.#queue.splice(place, 0, begin);
      if (this.#inside === 0 && this.#deeper(key.column)) this.#queue.splice(place, 0, { ...begin, type: 'mapping' });
      this.#mayBeKey = false;
    } else {
      if (this.#inside === 0) {
        if (!this.#mayBeKey) throw strayColon(this.cursor, this.#last, this.levels);
        if (this.#deeper(this.cursor.column)) this.#add('mapping', this.#mark());
      }
      this.#mayBeKey = this.#inside === 0;
      this.#forgetKey();
    }
    this.#sign(':');
  }

  #name(sign: '*' | '&'): void {
    this.#rememberKey();
    this.#mayBeKey = false;
    const start = this.#mark();
    this.#add(sign === '*' ? 'alias' : 'anchor', start, scanName(this.cursor));
  }

  #tag(): void {
    this.#rememberKey();
    this.#mayBeKey = false;
    const start = this.#mark();
    const { handle, suffix } = scanTag(this.cursor);
    this.#add('tag', start, suffix, '', handle);
  }

  #blockText(style: '|' | '>'): void {
    this.#mayBeKey = true;
    this.#forgetKey();
    const start = this.#mark();
    const { text, end, endLine } = scanBlockText(this.cursor, this.#indent);
    this.#push({ type: 'scalar', ...start, end, endLine, text, style });
  }

  #quoted(style: "'" | '"'): void {
    this.#rememberKey();
    this.#mayBeKey = false;
    const start = this.#mark();
    this.#add('scalar', start, scanQuoted(this.cursor), style);
  }

  #plain(): void {
    this.#rememberKey();
    const start = this.#mark();
    const { text, end, endLine, newLine } = scanPlain(this.cursor, this.#indent, this.#inside !== 0);
    this.#mayBeKey = newLine;
    this.#push({ type: 'scalar', ...start, end, endLine, text, style: '' });
  }

  #startsPlain(sign: string): boolean {
    if (!`${BLANK_OR_END}-?:,[]{}#&*!|>'"%@\``.includes(sign)) return true;
    const counts = sign === '-' || (this.#inside === 0 && (sign === '?' || sign === ':'));
    return counts && !this.cursor.isOneOf(BLANK_OR_END, 1);
  }

  #cannotStart(sign: string): Error {
    if (sign !== '\t') return syntaxFault(words.wrongStart(sign), this.#here());
    const before = this.cursor.text.slice(0, this.cursor.at);
    return syntaxFault(/(?:^|[\n\r\x85\u2028\u2029]) *$/.test(before) ? words.tabIndent : words.tab, this.#here());
  }

  #rememberKey(): void {
    const required = this.#inside === 0 && this.#indent === this.cursor.column;
    if (this.#mayBeKey) this.#keys.remember(this.#inside, this.#taken + this.#queue.length, required);
  }

  #forgetKey(): void {
    this.#keys.forget(this.#inside);
  }

  #unwind(column: number): void {
    if (this.#inside !== 0) return;
    while (this.#indent > column) {
      this.#indent = this.#indents.pop() ?? -1;
      this.#add('block end', this.#mark());
    }
  }

  #deeper(column: number): boolean {
    if (this.#indent >= column) return false;
    this.#indents.push(this.#indent);
    this.#indent = column;
    return true;
  }

  #mark(): Mark {
    const { at, line, column } = this.cursor;
    return { start: at, line, column };
  }

  #here(): { readonly start: number; readonly end: number } {
    return { start: this.cursor.at, end: this.cursor.at + 1 };
  }

  #sign(type: TokenType): void {
    const start = this.#mark();
    this.cursor.at += 1;
    this.#add(type, start);
  }

  #add(type: TokenType, start: Mark, text = '', style: Style = '', handle?: string): void {
    this.#push({ type, ...start, end: this.cursor.at, endLine: this.cursor.line, text, style, handle });
  }

  #push(token: Token): void {
    this.#queue.push(token);
    if (token.type !== 'block end') this.#last = token;
  }
}

const NO_TEXT = { text: '', style: '' as const };
