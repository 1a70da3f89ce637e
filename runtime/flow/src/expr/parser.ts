import { floatLiteral, intLiteral, LiteralFault, stringLiteral } from '../python/literal.ts';
import type { BinaryOperator, UnaryOperator } from '../python/operators.ts';
import type { Value } from '../python/value.ts';
import { checkCall } from './arity.ts';
import { type Token, type TokenType, tokenize } from './lexer.ts';
import { type Getter, type Node, type Part, SyntaxFault } from './syntax.ts';
import { Tokens } from './tokens.ts';

/**
 * Parses a text with templates `${{ … }}` and `$[[ … ]]` in it.
 * @throws SyntaxFault
 */
export function parseTemplate(text: string): readonly Part[] {
  if (!text.includes('${{') && !text.includes('$[[')) {
    return text === '' ? [] : [{ kind: 'text', text, start: 0, end: text.length }];
  }
  return new Parser(new Tokens(tokenize(text), text.length)).template();
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

/** Binary operators by how tightly they bind, loosest first. */
const LEVELS = new Map<string, number>([
  ['or', 0],
  ['and', 1],
  ...['==', '!=', '<', '<=', '>', '>='].map((operator): [string, number] => [operator, 2]),
  ['|', 3],
  ['+', 4],
  ['-', 4],
  ['*', 5],
  ['/', 5],
  ['%', 5],
]);
const COMPARISON = 2;

/** Recursive descent. */
class Parser {
  readonly #tokens: Tokens;
  readonly #inversions = new Map<number, { readonly node: Node; readonly next: number } | SyntaxFault>();
  /** A condition that was read in vain by `#choice`, so that nested lists are not read twice at every level. */
  #pending: { readonly at: number; readonly node: Node; readonly next: number } | undefined;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  template(): readonly Part[] {
    const tokens = this.#tokens;
    const parts: Part[] = [];
    for (let token = tokens.peek(); token !== undefined; token = tokens.peek()) {
      tokens.at += 1;
      const { start, end } = token;
      if (token.type === 'text') {
        parts.push({ kind: 'text', text: token.text, start, end });
        continue;
      }
      if (token.type !== 'open') throw tokens.unexpected(token, 'a template');
      const node = this.#expression();
      const mark = token.text === '${{' ? '}}' : ']]';
      const close = tokens.peek();
      if (close?.text !== mark) throw tokens.unclosed(token, mark);
      tokens.at += 1;
      parts.push({ kind: 'expression', node, start, end: close.end });
    }
    return parts;
  }

  #expression(): Node {
    return this.#tokens.nested(() => this.#choice(this.#level(0)));
  }

  /** `consequent if condition else otherwise`; an `if` without `else` is left to the list that it filters. */
  #choice(consequent: Node): Node {
    const tokens = this.#tokens;
    if (!tokens.is('if')) return consequent;
    const back = tokens.at;
    tokens.at += 1;
    const condition = this.#level(0);
    if (!tokens.is('else')) {
      this.#pending = { at: back + 1, node: condition, next: tokens.at };
      tokens.at = back;
      return consequent;
    }
    tokens.at += 1;
    const otherwise = this.#expression();
    return { kind: 'choice', consequent, condition, otherwise, start: consequent.start, end: otherwise.end };
  }

  /** Operands and operators that bind at least as tightly as `lowest`. */
  #level(lowest: number): Node {
    const negated = lowest <= COMPARISON && this.#tokens.is('not');
    return this.#chain(negated ? this.#inversion() : this.#factor(), lowest);
  }

  /** Operators after an operand; equal ones join from the left. */
  #chain(first: Node, lowest: number): Node {
    const tokens = this.#tokens;
    let left = first;
    for (let token = tokens.peek(); token !== undefined; token = tokens.peek()) {
      const level = token.type === 'string' ? undefined : LEVELS.get(token.text);
      if (level === undefined || level < lowest) break;
      tokens.at += 1;
      const right = this.#level(level + 1);
      left = { kind: 'binary', operator: token.text as BinaryOperator, left, right, start: left.start, end: right.end };
    }
    return left;
  }

  /** `not x`; where no operand follows, a `not` that the lexer took for a name is one after all. */
  #inversion(): Node {
    const tokens = this.#tokens;
    const start = tokens.at;
    const known = this.#inversions.get(start);
    if (known instanceof SyntaxFault) throw known;
    if (known !== undefined) {
      tokens.at = known.next;
      return known.node;
    }
    try {
      const node = this.#negation(tokens.peek() as Token);
      this.#inversions.set(start, { node, next: tokens.at });
      return node;
    } catch (error) {
      if (error instanceof SyntaxFault) this.#inversions.set(start, error);
      throw error;
    }
  }

  #negation(token: Token): Node {
    const tokens = this.#tokens;
    const { at, depth } = tokens;
    tokens.at += 1;
    try {
      const operand = tokens.nested(() => this.#level(COMPARISON));
      return { kind: 'unary', operator: 'not', operand, start: token.start, end: operand.end };
    } catch (error) {
      tokens.at = at + 1;
      if (!(error instanceof SyntaxFault) || token.type !== 'name' || tokens.is('(')) throw error;
      tokens.at = at;
      tokens.depth = depth;
      return this.#chain(this.#factor(), COMPARISON);
    }
  }

  #factor(): Node {
    const tokens = this.#tokens;
    const token = tokens.peek();
    if (token?.type !== 'operator' || (token.text !== '+' && token.text !== '-')) return this.#atom();
    tokens.at += 1;
    const operand = tokens.nested(() => this.#factor());
    const operator: UnaryOperator = token.text;
    return { kind: 'unary', operator, operand, start: token.start, end: operand.end };
  }

  #atom(): Node {
    const tokens = this.#tokens;
    const token = tokens.peek();
    if (token === undefined) throw new SyntaxFault('the template ends here: expected a value', tokens.here());
    tokens.at += 1;
    if (token.type === 'name') return this.#named(token);
    const read = LITERALS[token.type];
    if (read !== undefined)
      return { kind: 'literal', value: literalOf(token, read), start: token.start, end: token.end };
    switch (token.text) {
      case '(': {
        const node = this.#expression();
        tokens.expect(')', 'an operator');
        return node;
      }
      case '[':
        return this.#list(token);
      case '{':
        return this.#dict(token);
      default:
        throw tokens.unexpected(token, 'a value');
    }
  }

  #named(token: Token): Node {
    const tokens = this.#tokens;
    const { text: name, start } = token;
    if (!tokens.is('(')) {
      const trailer = this.#trailer();
      return { kind: 'lookup', root: name, trailer, start, end: trailer.at(-1)?.end ?? token.end };
    }
    tokens.at += 1;
    const args: Node[] = [];
    if (!tokens.is(')')) {
      args.push(this.#expression());
      while (tokens.take(',')) args.push(this.#expression());
    }
    const close = tokens.expect(')', 'an operator, `,`');
    checkCall(token, args.length, { start, end: close.end });
    const trailer = this.#trailer();
    return { kind: 'call', name, args, trailer, start, end: trailer.at(-1)?.end ?? close.end };
  }

  #trailer(): readonly Getter[] {
    const tokens = this.#tokens;
    const getters: Getter[] = [];
    for (;;) {
      const token = tokens.peek();
      if (token?.text === '.') {
        const name = tokens.peek(1);
        tokens.at += 1;
        if (name?.type !== 'name') throw tokens.unexpected(name, 'a name after the point');
        tokens.at += 1;
        getters.push({ kind: 'attribute', name: name.text, start: name.start, end: name.end });
      } else if (token?.text === '[') {
        tokens.at += 1;
        const key = this.#expression();
        const close = tokens.expect(']', 'an operator');
        getters.push({ kind: 'item', key, start: token.start, end: close.end });
      } else return getters;
    }
  }

  #list(open: Token): Node {
    const tokens = this.#tokens;
    const { start } = open;
    if (tokens.is(']')) return { kind: 'list', items: [], start, end: tokens.expect(']', '').end };
    const first = this.#expression();
    if (tokens.is('for')) return this.#comprehension(open, first);
    const items = [first];
    while (tokens.take(',')) {
      if (tokens.is(']')) break;
      items.push(this.#expression());
    }
    return { kind: 'list', items, start, end: tokens.expect(']', 'an operator, `,`, `for`').end };
  }

  #comprehension(open: Token, item: Node): Node {
    const tokens = this.#tokens;
    tokens.at += 1;
    const variable = tokens.peek();
    if (variable?.type !== 'name') throw tokens.unexpected(variable, 'a name after `for`');
    tokens.at += 1;
    tokens.expect('in', '');
    const source = this.#expression();
    const condition = tokens.take('if') ? this.#condition() : undefined;
    const close = tokens.expect(']', 'an operator');
    const span = { start: open.start, end: close.end };
    const base = { kind: 'comprehension' as const, item, variable: variable.text, source, ...span };
    return condition === undefined ? base : { ...base, condition };
  }

  #condition(): Node {
    const tokens = this.#tokens;
    const pending = this.#pending;
    if (pending?.at !== tokens.at) return this.#expression();
    tokens.at = pending.next;
    return this.#choice(pending.node);
  }

  #dict(open: Token): Node {
    const tokens = this.#tokens;
    const items: (readonly [Node, Node])[] = [];
    while (!tokens.is('}')) {
      const key = this.#expression();
      tokens.expect(':', 'an operator');
      items.push([key, this.#expression()]);
      if (!tokens.take(',')) break;
    }
    const close = tokens.expect('}', items.length === 0 ? 'a value' : 'an operator, `,`');
    return { kind: 'dict', items, start: open.start, end: close.end };
  }
}

const LITERALS: Partial<Record<TokenType, (text: string) => Value>> = {
  none: () => null,
  bool: (text) => text === 'True',
  real: floatLiteral,
  int: intLiteral,
  string: stringLiteral,
};

function literalOf(token: Token, read: (text: string) => Value): Value {
  try {
    return read(token.text);
  } catch (error) {
    if (!(error instanceof LiteralFault)) throw error;
    throw new SyntaxFault(error.message, { start: token.start + error.offset, end: token.end });
  }
}
