import { SyntaxFault } from './syntax.ts';

export type TokenType =
  | 'open'
  | 'close'
  | 'none'
  | 'bool'
  | 'real'
  | 'int'
  | 'string'
  | 'operator'
  | 'name'
  | 'mark'
  | 'text';

export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/*
 * Tokens inside a template, in the order in which they are tried, each a group of one pattern. An operator is one only
 * before a blank; without it, the words among them (`not(x)`) are names, and the signs are no token at all.
 */
const GROUPS: readonly (readonly [TokenType | 'blank', RegExp])[] = [
  ['open', /\$\{\{|\$\[\[/],
  ['close', /\}\}|\]\]/],
  ['blank', /[ \t]+/],
  ['none', /None/],
  ['bool', /True|False/],
  ['real', /-?[0-9]+\.[0-9]*(?:[Ee][+-]?[0-9]+)*/],
  ['int', /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|-?[0-9][0-9_]*/],
  ['string', /'[^']*'|"[^"]*"/],
  ['operator', /(?:==|!=|or|and|<=|<|>=|>|\||\+|-|\*|\/|%|not)(?=[ \t])/],
  ['name', /[A-Za-z][A-Za-z_0-9]*/],
  ['mark', /[.,:()[\]{}]/],
];
const TOKEN = new RegExp(GROUPS.map(([, { source }]) => `(${source})`).join('|'), 'y');
const OPENING = /\$\{\{|\$\[\[/g;

/** Splits a text into its literal stretches and the tokens of its templates. @throws SyntaxFault */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let inside = false;
  for (let at = 0; at < text.length; ) {
    if (!inside) {
      OPENING.lastIndex = at;
      const next = OPENING.exec(text)?.index ?? text.length;
      if (next > at) tokens.push({ type: 'text', text: text.slice(at, next), start: at, end: next });
      at = next;
      if (at === text.length) break;
      inside = true;
    }
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw unreadable(text, at);
    const type = typeOf(match);
    const end = at + match[0].length;
    if (type !== 'blank') tokens.push({ type, text: match[0], start: at, end });
    if (type === 'close') inside = false;
    at = end;
  }
  return tokens;
}

function typeOf(match: RegExpExecArray): TokenType | 'blank' {
  let group = 1;
  while (match[group] === undefined) group += 1;
  return (GROUPS[group - 1] as (typeof GROUPS)[number])[0];
}

function unreadable(text: string, at: number): SyntaxFault {
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  const span = { start: at, end: at + char.length };
  if (char === '\n' || char === '\r') {
    return new SyntaxFault('a line break inside a template', span, {
      hint: 'write the whole of ${{ … }} in one line, or use a folded text (>) instead of a literal one (|)',
    });
  }
  if (char === "'" || char === '"') {
    return new SyntaxFault(`this text is not closed: expected a second ${char}`, { start: at, end: text.length });
  }
  const sign = /^(==|!=|<=|>=|[<>|+\-*/%])/.exec(text.slice(at))?.[0];
  if (sign !== undefined) {
    return new SyntaxFault(
      `the operator ${sign} needs a blank after it`,
      { start: at, end: at + sign.length },
      {
        hint: `write \`a ${sign} b\``,
      },
    );
  }
  const known = { '=': 'compare with `==`', '&': 'write `and`', '!': 'write `not`', '^': undefined, '~': undefined }[
    char
  ];
  return new SyntaxFault(
    `${JSON.stringify(char)} cannot stand in an expression`,
    span,
    known === undefined ? {} : { hint: known },
  );
}
