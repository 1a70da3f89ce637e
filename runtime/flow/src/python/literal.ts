/** A fault in a Python literal. */
export class LiteralFault extends Error {
  /** The offset in the token where it goes wrong. */
  readonly offset: number;
  constructor(message: string, offset = 0) {
    super(message);
    this.offset = offset;
  }
}

const SIMPLE: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The text of a Python string literal, marks included. @throws LiteralFault */
export function stringLiteral(token: string): string {
  const end = token.length - 1;
  let out = '';
  let index = 1;
  while (index < end) {
    const char = token[index] as string;
    if (char === '\n' || char === '\r') throw new LiteralFault('a line break inside a text; write \\n', index);
    if (char === '\0') throw new LiteralFault('a NUL character inside a text', index);
    if (char !== '\\') {
      out += char;
      index += 1;
      continue;
    }
    const { text, length } = escapeAt(token, index, end);
    out += text;
    index += length;
  }
  return out;
}

function escapeAt(token: string, index: number, end: number): { readonly text: string; readonly length: number } {
  const next = token[index + 1];
  if (next === undefined || index + 1 >= end) {
    throw new LiteralFault('a backslash before the closing mark; write \\\\', index);
  }
  const simple = SIMPLE[next];
  if (simple !== undefined) return { text: simple, length: 2 };
  const octal = /^[0-7]{1,3}/.exec(token.slice(index + 1, Math.min(end, index + 4)))?.[0];
  if (octal !== undefined) return { text: String.fromCharCode(Number.parseInt(octal, 8)), length: 1 + octal.length };
  const width = { x: 2, u: 4, U: 8 }[next];
  if (width !== undefined) {
    const digits = token.slice(index + 2, Math.min(end, index + 2 + width));
    const code = Number.parseInt(digits, 16);
    if (!new RegExp(`^[0-9a-fA-F]{${width}}$`).test(digits) || code > 0x10ffff) {
      throw new LiteralFault(`\\${next} takes ${width} hexadecimal digits of a character`, index);
    }
    return { text: String.fromCodePoint(code), length: 2 + width };
  }
  if (next === 'N') throw new LiteralFault('\\N{NAME} is not accepted; write \\u and the code', index);
  if (next === '\r' || next === '\0') throw new LiteralFault('a control character inside a text', index);
  return { text: `\\${next}`, length: 2 };
}

/** The number of a Python integer literal. @throws LiteralFault */
export function intLiteral(token: string): bigint {
  const [, sign = '', body = ''] = /^(-?)(.*)$/s.exec(token) as RegExpExecArray;
  if (/^0[xob]/i.test(body)) {
    if (!/^0[xob](_?[0-9a-f])+$/i.test(body)) throw new LiteralFault('not a number: digits and single underscores');
    return BigInt(body.replaceAll('_', ''));
  }
  if (!/^[0-9]+(_[0-9]+)*$/.test(body)) throw new LiteralFault('not a number: single underscores between digits');
  const digits = body.replaceAll('_', '');
  if (/^0+[1-9]/.test(digits)) throw new LiteralFault('a number may not begin with 0');
  if (digits.length > 4300) throw new LiteralFault('a number of more than 4300 digits');
  return sign === '' ? BigInt(digits) : -BigInt(digits);
}

/** @throws LiteralFault */
export function floatLiteral(token: string): number {
  if (!/^-?[0-9]+\.[0-9]*([eE][+-]?[0-9]+)?$/.test(token)) throw new LiteralFault('not a number');
  return Number(token);
}
