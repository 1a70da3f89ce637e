import { floatLiteral, intLiteral, LiteralFault, stringLiteral } from '../python/literal.ts';
import type { BinaryOperator, UnaryOperator } from '../python/operators.ts';
import type { Value } from '../python/value.ts';
import { checkCall } from './arity.ts';
import { type Token, tokenize } from './lexer.ts';
import { type Getter, type Node, type Part, SyntaxFault } from './syntax.ts';

/** Nesting beyond which an expression is refused: no hand writes it, and the authority takes minutes for less. */
const MAX_DEPTH = 100;

/**
 * Parses a text with templates `${{ … }}` and `$[[ … ]]` in it.
 * @throws SyntaxFault
 */
export function parseTemplate(text: string): readonly Part[] {
  if (!text.includes('${{') && !text.includes('$[[')) {
    return text === '' ? [] : [{ kind: 'text', text, start: 0, end: text.length }];
  }
  return new Parser(tokenize(text), text.length).template();
}

/** Parses what stands between the marks of a template. @throws SyntaxFault with offsets in `text` */
export function parseExpression(text: string): Node {
  const opened = `\${{ ${text} }}`;
  try {
    const parts = parseTemplate(opened);
    const [part] = parts;
    if (parts.length === 1 && part?.kind === 'expression') return part.node;
    throw new SyntaxFault('expected one expression', { start: 4, end: opened.length });
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const span = { start: Math.max(0, error.start - 4), end: Math.max(1, Math.min(error.end - 4, text.length)) };
    throw new SyntaxFault(error.message, span, {
      kind: error.kind,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ['or'],
  ['and'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['|'],
  ['+', '-'],
  ['*', '/', '%'],
];
const COMPARISON = 2;

/**
 * Recursive descent. Tokens are told by their text alone where the grammar names a word, so that `or(x)` is an
 * operator although the lexer took it for a name.
 */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #length: number;
  #at = 0;
  #depth = 0;
  readonly #inversions = new Map<number, { readonly node: Node; readonly next: number } | SyntaxFault>();

  constructor(tokens: readonly Token[], length: number) {
    this.#tokens = tokens;
    this.#length = length;
  }

  template(): readonly Part[] {
    const parts: Part[] = [];
    for (let token = this.#peek(); token !== undefined; token = this.#peek()) {
      this.#at += 1;
      const { start, end } = token;
      if (token.type === 'text') {
        parts.push({ kind: 'text', text: token.text, start, end });
        continue;
      }
      if (token.type !== 'open') throw this.#unexpected(token, 'a template');
      const node = this.#expression();
      const mark = token.text === '${{' ? '}}' : ']]';
      const close = this.#peek();
      if (close?.text !== mark) throw this.#unclosed(token, close, mark);
      this.#at += 1;
      parts.push({ kind: 'expression', node, start, end: close.end });
    }
    return parts;
  }

  #unclosed(open: Token, found: Token | undefined, mark: string): SyntaxFault {
    if (found === undefined) {
      return new SyntaxFault(`this template is not closed: expected \`${mark}\``, {
        start: open.start,
        end: this.#length,
      });
    }
    if (found.type === 'close') {
      return new SyntaxFault(
        `\`${found.text}\` cannot close what \`${open.text}\` opened: expected \`${mark}\``,
        found,
      );
    }
    return this.#unexpected(found, `an operator or \`${mark}\``);
  }

  #expression(): Node {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new SyntaxFault(`nested more than ${MAX_DEPTH} deep`, this.#here());
    const node = this.#choice(this.#level(0));
    this.#depth -= 1;
    return node;
  }

  /** `consequent if condition else otherwise`; an `if` without `else` is left to the list that it filters. */
  #choice(consequent: Node): Node {
    if (!this.#is('if')) return consequent;
    const back = this.#at;
    this.#at += 1;
    const condition = this.#level(0);
    if (!this.#is('else')) {
      this.#at = back;
      this.#pending = { at: back + 1, node: condition, next: this.#after };
      return consequent;
    }
    this.#at += 1;
    const otherwise = this.#expression();
    return { kind: 'choice', consequent, condition, otherwise, start: consequent.start, end: otherwise.end };
  }
  /** A condition that was read in vain by `#choice`, so that nested lists are not read twice at every level. */
  #pending: { readonly at: number; readonly node: Node; readonly next: number } | undefined;
  #after = 0;

  #level(level: number): Node {
    let left = this.#operand(level);
    for (let token = this.#peek(); token !== undefined; token = this.#peek()) {
      const operator = LEVELS[level]?.find((sign) => sign === token.text);
      if (operator === undefined || token.type === 'string') break;
      this.#at += 1;
      const right = this.#operand(level);
      left = { kind: 'binary', operator, left, right, start: left.start, end: right.end };
    }
    this.#after = this.#at;
    return left;
  }

  #operand(level: number): Node {
    if (level + 1 === COMPARISON) return this.#inversion();
    return level + 1 < LEVELS.length ? this.#level(level + 1) : this.#factor();
  }

  /** `not x`; where no operand follows, a `not` that the lexer took for a name is one after all. */
  #inversion(): Node {
    const token = this.#peek();
    if (token?.text !== 'not') return this.#level(COMPARISON);
    const known = this.#inversions.get(this.#at);
    if (known instanceof SyntaxFault) throw known;
    if (known !== undefined) {
      this.#at = known.next;
      return known.node;
    }
    const start = this.#at;
    try {
      const node = this.#negation(token);
      this.#inversions.set(start, { node, next: this.#at });
      return node;
    } catch (error) {
      if (error instanceof SyntaxFault) this.#inversions.set(start, error);
      throw error;
    }
  }

  #negation(token: Token): Node {
    const start = this.#at;
    const depth = this.#depth;
    this.#at += 1;
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new SyntaxFault(`nested more than ${MAX_DEPTH} deep`, token);
    try {
      const operand = this.#inversion();
      this.#depth = depth;
      return { kind: 'unary', operator: 'not', operand, start: token.start, end: operand.end };
    } catch (error) {
      if (!(error instanceof SyntaxFault) || token.type !== 'name' || this.#tokens[start + 1]?.text === '(')
        throw error;
      this.#at = start;
      this.#depth = depth;
      return this.#level(COMPARISON);
    }
  }

  #factor(): Node {
    const token = this.#peek();
    if (token?.type !== 'operator' || (token.text !== '+' && token.text !== '-')) return this.#atom();
    this.#at += 1;
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new SyntaxFault(`nested more than ${MAX_DEPTH} deep`, token);
    const operand = this.#factor();
    this.#depth -= 1;
    const operator: UnaryOperator = token.text;
    return { kind: 'unary', operator, operand, start: token.start, end: operand.end };
  }

  #atom(): Node {
    const token = this.#peek();
    if (token === undefined) throw new SyntaxFault('the template ends here: expected a value', this.#here());
    this.#at += 1;
    const { start, end } = token;
    const literal = (read: (text: string) => Value): Node => ({
      kind: 'literal',
      value: literalOf(token, read),
      start,
      end,
    });
    switch (token.type) {
      case 'none':
        return literal(() => null);
      case 'bool':
        return literal((text) => text === 'True');
      case 'real':
        return literal(floatLiteral);
      case 'int':
        return literal(intLiteral);
      case 'string':
        return literal(stringLiteral);
      case 'name':
        return this.#named(token);
      default:
    }
    if (token.text === '(') {
      const node = this.#expression();
      this.#expect(')', 'an operator');
      return node;
    }
    if (token.text === '[') return this.#list(token);
    if (token.text === '{') return this.#dict(token);
    throw this.#unexpected(token, 'a value');
  }

  #named(token: Token): Node {
    const { text: name, start } = token;
    if (!this.#is('(')) {
      const trailer = this.#trailer();
      return { kind: 'lookup', root: name, trailer, start, end: trailer.at(-1)?.end ?? token.end };
    }
    this.#at += 1;
    const args: Node[] = [];
    if (!this.#is(')')) {
      args.push(this.#expression());
      while (this.#take(',')) args.push(this.#expression());
    }
    const close = this.#expect(')', 'an operator, `,`');
    const span = { start, end: close.end };
    checkCall(token, args.length, span);
    const trailer = this.#trailer();
    return { kind: 'call', name, args, trailer, start, end: trailer.at(-1)?.end ?? close.end };
  }

  #trailer(): readonly Getter[] {
    const getters: Getter[] = [];
    for (;;) {
      const token = this.#peek();
      if (token?.text === '.') {
        const name = this.#tokens[this.#at + 1];
        if (name?.type !== 'name') {
          this.#at += 1;
          throw this.#unexpected(name, 'a name after the point');
        }
        this.#at += 2;
        getters.push({ kind: 'attribute', name: name.text, start: name.start, end: name.end });
      } else if (token?.text === '[') {
        this.#at += 1;
        const key = this.#expression();
        const close = this.#expect(']', 'an operator');
        getters.push({ kind: 'item', key, start: token.start, end: close.end });
      } else return getters;
    }
  }

  #list(open: Token): Node {
    if (this.#is(']')) {
      const close = this.#expect(']', '');
      return { kind: 'list', items: [], start: open.start, end: close.end };
    }
    const first = this.#expression();
    if (this.#is('for')) return this.#comprehension(open, first);
    const items = [first];
    while (this.#take(',')) {
      if (this.#is(']')) break;
      items.push(this.#expression());
    }
    const close = this.#expect(']', 'an operator, `,`, `for`');
    return { kind: 'list', items, start: open.start, end: close.end };
  }

  #comprehension(open: Token, item: Node): Node {
    this.#at += 1;
    const variable = this.#peek();
    if (variable?.type !== 'name') throw this.#unexpected(variable, 'a name after `for`');
    this.#at += 1;
    this.#expect('in', '');
    const source = this.#expression();
    let condition: Node | undefined;
    if (this.#take('if')) {
      const pending = this.#pending;
      if (pending?.at === this.#at) {
        this.#at = pending.next;
        condition = this.#choice(pending.node);
      } else condition = this.#expression();
    }
    const close = this.#expect(']', 'an operator');
    const span = { start: open.start, end: close.end };
    const base = { kind: 'comprehension' as const, item, variable: variable.text, source, ...span };
    return condition === undefined ? base : { ...base, condition };
  }

  #dict(open: Token): Node {
    const items: (readonly [Node, Node])[] = [];
    while (!this.#is('}')) {
      const key = this.#expression();
      this.#expect(':', 'an operator');
      items.push([key, this.#expression()]);
      if (!this.#take(',')) break;
    }
    const close = this.#expect('}', items.length === 0 ? 'a value' : 'an operator, `,`');
    return { kind: 'dict', items, start: open.start, end: close.end };
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }
  #is(text: string): boolean {
    return this.#tokens[this.#at]?.text === text;
  }
  #take(text: string): boolean {
    const taken = this.#is(text);
    if (taken) this.#at += 1;
    return taken;
  }
  #expect(text: string, before: string): Token {
    const token = this.#peek();
    if (token?.text !== text) throw this.#unexpected(token, `${before}${before === '' ? '' : ' or '}\`${text}\``);
    this.#at += 1;
    return token;
  }
  #here(): { readonly start: number; readonly end: number } {
    return this.#peek() ?? { start: this.#length, end: this.#length };
  }
  #unexpected(token: Token | undefined, expected: string): SyntaxFault {
    if (token === undefined) return new SyntaxFault(`the template ends here: expected ${expected}`, this.#here());
    const closes = token.type === 'close' && !expected.includes(`\`${token.text}\``);
    const hint =
      closes && expected.includes(`\`${token.text[0]}\``)
        ? `\`${token.text}\` ends the template: put a blank between, \`${token.text[0]} ${token.text[0]}\``
        : token.type === 'int' && token.text.startsWith('-')
          ? `\`${token.text}\` is one number: put a blank after the sign, \`- ${token.text.slice(1)}\``
          : undefined;
    return new SyntaxFault(`expected ${expected}, found \`${token.text}\``, token, hint === undefined ? {} : { hint });
  }
}

function literalOf(token: Token, read: (text: string) => Value): Value {
  try {
    return read(token.text);
  } catch (error) {
    if (!(error instanceof LiteralFault)) throw error;
    throw new SyntaxFault(error.message, { start: token.start + error.offset, end: token.end });
  }
}
