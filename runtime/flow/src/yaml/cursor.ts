/** The signs that end a line in YAML 1.1. */
export const BREAK = '\n\r\x85\u2028\u2029';
/** Stands for the end of the text; a text never holds it. */
export const END = '\0';
/** A sign such as `-` or `:` counts only where one of these stands behind it. */
export const BLANK_OR_END = ` \t${BREAK}${END}`;

/** A place in a text that moves forward, and its line and column. */
export class Cursor {
  readonly text: string;
  at = 0;
  /** Counts from 0. */
  line = 0;
  #lineStart = 0;
  /** Some characters take no column of their own: a byte order mark, and the second half of a pair. */
  readonly #uneven: boolean;

  constructor(text: string) {
    this.text = text;
    this.#uneven = /[\ufeff\ud800-\udfff]/.test(text);
  }

  /** Counts from 0, in characters. */
  get column(): number {
    const columns = this.at - this.#lineStart;
    if (!this.#uneven) return columns;
    const before = this.text.slice(this.#lineStart, this.at);
    return columns - (before.match(/[\ufeff\udc00-\udfff]/g)?.length ?? 0);
  }

  /** How many characters lie between an earlier place and here. */
  since(at: number): number {
    if (!this.#uneven) return this.at - at;
    return [...this.text.slice(at, this.at)].length;
  }

  peek(ahead = 0): string {
    return this.text[this.at + ahead] ?? END;
  }

  /** Whether the sign here, or some signs ahead, is one of these. */
  isOneOf(signs: string, ahead = 0): boolean {
    return signs.includes(this.peek(ahead));
  }

  get isBreak(): boolean {
    return this.isOneOf(BREAK);
  }

  /** Goes past the text that a sticky pattern matches here, and gives it. The pattern must match no line end. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  /** Goes past blanks; with a limit, up to a column. */
  spaces(limit = Number.POSITIVE_INFINITY): void {
    if (limit === Number.POSITIVE_INFINITY) while (this.text.charCodeAt(this.at) === 0x20) this.at += 1;
    else while (this.text.charCodeAt(this.at) === 0x20 && this.column < limit) this.at += 1;
  }

  /** Goes past the rest of the line. */
  restOfLine(): void {
    while (!this.isOneOf(BREAK + END)) this.at += 1;
  }

  /** Goes past a line end, which it gives as YAML reads it; the empty text where there is none. */
  lineBreak(): string {
    const sign = this.peek();
    if (!BREAK.includes(sign)) return '';
    this.at += sign === '\r' && this.peek(1) === '\n' ? 2 : 1;
    this.line += 1;
    this.#lineStart = this.at;
    return sign === '\u2028' || sign === '\u2029' ? sign : '\n';
  }

  /** Whether a line with `---` or `...` begins here. */
  isDocumentMark(mark: '---' | '...'): boolean {
    return this.text.startsWith(mark, this.at) && this.isOneOf(BLANK_OR_END, 3);
  }
}
