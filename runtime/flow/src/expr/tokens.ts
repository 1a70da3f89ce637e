import type { Token } from './lexer.ts';
import { SyntaxFault } from './syntax.ts';

/** Nesting beyond which an expression is refused: no hand writes it, and the authority takes minutes for less. */
const MAX_DEPTH = 100;

/**
 * Tokens, read one after the other. They are told by their text alone where the grammar names a word, so that `or(x)`
 * is an operator although the lexer took it for a name.
 */
export class Tokens {
  readonly #tokens: readonly Token[];
  readonly #length: number;
  /** Place of the token to be read next. */
  at = 0;
  depth = 0;

  /** `length`: that of the text. */
  constructor(tokens: readonly Token[], length: number) {
    this.#tokens = tokens;
    this.#length = length;
  }
  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.at + ahead];
  }
  is(text: string): boolean {
    return this.#tokens[this.at]?.text === text;
  }
  take(text: string): boolean {
    const taken = this.is(text);
    if (taken) this.at += 1;
    return taken;
  }
  /** `before`: what could have stood there too, in words. @throws SyntaxFault */
  expect(text: string, before: string): Token {
    const token = this.peek();
    if (token?.text !== text) throw this.unexpected(token, `${before}${before === '' ? '' : ' or '}\`${text}\``);
    this.at += 1;
    return token;
  }
  here(): { readonly start: number; readonly end: number } {
    return this.peek() ?? { start: this.#length, end: this.#length };
  }
  /** One level deeper for a while. @throws SyntaxFault where that is too deep */
  nested<T>(read: () => T): T {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new SyntaxFault(`nested more than ${MAX_DEPTH} deep`, this.here());
    const result = read();
    this.depth -= 1;
    return result;
  }
  unexpected(token: Token | undefined, expected: string): SyntaxFault {
    if (token === undefined) return new SyntaxFault(`the template ends here: expected ${expected}`, this.here());
    const closes = token.type === 'close' && !expected.includes(`\`${token.text}\``);
    const hint =
      closes && expected.includes(`\`${token.text[0]}\``)
        ? `\`${token.text}\` ends the template: put a blank between, \`${token.text[0]} ${token.text[0]}\``
        : token.type === 'int' && token.text.startsWith('-')
          ? `\`${token.text}\` is one number: put a blank after the sign, \`- ${token.text.slice(1)}\``
          : undefined;
    return new SyntaxFault(`expected ${expected}, found \`${token.text}\``, token, hint === undefined ? {} : { hint });
  }
  unclosed(open: Token, mark: string): SyntaxFault {
    const found = this.peek();
    if (found === undefined) {
      return new SyntaxFault(`this template is not closed: expected \`${mark}\``, {
        start: open.start,
        end: this.#length,
      });
    }
    if (found.type === 'close')
      return new SyntaxFault(
        `\`${found.text}\` cannot close what \`${open.text}\` opened: expected \`${mark}\``,
        found,
      );
    return this.unexpected(found, `an operator or \`${mark}\``);
  }
}
