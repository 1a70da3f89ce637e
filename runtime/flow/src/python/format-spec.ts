import { floatOfInt } from './number.ts';
import { intText, textLength } from './text.ts';
import { PythonError, valueError } from './value.ts';

/*
 * Python's "Format Specification Mini-Language":
 * [[fill]align][sign][z][#][0][width][grouping][.precision][type]
 */
export interface FormatSpec {
  readonly fill: string;
  readonly align: '<' | '>' | '=' | '^' | '';
  readonly sign: '+' | '-' | ' ' | '';
  readonly noNegativeZero: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  readonly width: number;
  readonly grouping: ',' | '_' | '';
  readonly precision: number | undefined;
  readonly type: string;
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?(.)?$/su;
/** A width or precision beyond it is refused: Python would fill the memory. */
const MAX_WIDTH = 1_000_000;

/** @throws PythonError ValueError */
export function parseSpec(text: string): FormatSpec {
  const match = SPEC.exec(text);
  // The fill may be any character, an align sign too; the pattern prefers it where both could be read.
  if (match === null) throw valueError(`Invalid format specifier '${text}'`);
  const [, fill, align, sign, z, alternate, zero, width, grouping, precision, type] = match;
  const size = (digits: string | undefined): number | undefined => {
    if (digits === undefined) return undefined;
    if (Number(digits) > MAX_WIDTH) throw new PythonError('ValueError', 'Too many decimal digits in format string');
    return Number(digits);
  };
  return {
    fill: fill ?? '',
    align: (align ?? '') as FormatSpec['align'],
    sign: (sign ?? '') as FormatSpec['sign'],
    noNegativeZero: z !== undefined,
    alternate: alternate !== undefined,
    zero: zero !== undefined,
    width: size(width) ?? 0,
    grouping: (grouping ?? '') as FormatSpec['grouping'],
    precision: size(precision),
    type: type ?? '',
  };
}

export function formatText(text: string, spec: FormatSpec): string {
  if (spec.type !== '' && spec.type !== 's')
    throw valueError(`Unknown format code '${spec.type}' for object of type 'str'`);
  if (spec.sign !== '') throw valueError('Sign not allowed in string format specifier');
  if (spec.noNegativeZero) throw valueError('Negative zero coercion (z) not allowed in string format specifier');
  if (spec.alternate) throw valueError('Alternate form (#) not allowed in string format specifier');
  if (spec.align === '=') throw valueError("'=' alignment not allowed in string format specifier");
  if (spec.grouping !== '') throw valueError(`Cannot specify '${spec.grouping}' with 's'.`);
  const cut = spec.precision === undefined ? text : [...text].slice(0, spec.precision).join('');
  return padded('', cut, spec, spec.zero ? '0' : ' ', '<');
}

export function formatInt(value: bigint, spec: FormatSpec): string {
  const { type } = spec;
  if (['e', 'E', 'f', 'F', 'g', 'G', '%'].includes(type)) return formatFloat(floatOfInt(value), spec);
  if (spec.noNegativeZero)
    throw valueError('Negative zero coercion (z) not allowed in format specifier with integer format code');
  if (spec.precision !== undefined) throw valueError('Precision not allowed in integer format specifier');
  const size = value < 0n ? -value : value;
  if (type === 'c') {
    if (spec.sign !== '') throw valueError("Sign not allowed with integer format specifier 'c'");
    if (spec.alternate) throw valueError("Alternate form (#) not allowed with integer format specifier 'c'");
    if (spec.grouping !== '') throw valueError(`Cannot specify '${spec.grouping}' with 'c'.`);
    if (value < 0n || value > 0x10ffffn) throw new PythonError('OverflowError', '%c arg not in range(0x110000)');
    return padded('', String.fromCodePoint(Number(value)), spec, spec.zero ? '0' : ' ', spec.zero ? '=' : '>');
  }
  const base = { '': 10, d: 10, n: 10, b: 2, o: 8, x: 16, X: 16 }[type];
  if (base === undefined) throw valueError(`Unknown format code '${type}' for object of type 'int'`);
  if (spec.grouping !== '' && type === 'n') throw valueError(`Cannot specify '${spec.grouping}' with 'n'.`);
  if (spec.grouping === ',' && base !== 10) throw valueError(`Cannot specify ',' with '${type}'.`);
  const prefix = spec.alternate && base !== 10 ? `0${type}` : '';
  const digits = base === 10 ? intText(size) : size.toString(base);
  const shown = type === 'X' ? digits.toUpperCase() : digits;
  return number(value < 0n, prefix, shown, '', spec, base === 10 ? 3 : 4);
}

export function formatFloat(input: number, spec: FormatSpec): string {
  const type = spec.type === 'n' ? 'g' : spec.type;
  if (!['', 'e', 'E', 'f', 'F', 'g', 'G', '%'].includes(type)) {
    throw valueError(`Unknown format code '${type}' for object of type 'float'`);
  }
  if (spec.grouping !== '' && spec.type === 'n') throw valueError(`Cannot specify '${spec.grouping}' with 'n'.`);
  const negative = input < 0 || Object.is(input, -0);
  const size = Math.abs(input);
  let text = floatDigits(type === '%' ? size * 100 : size, type, spec);
  if (type === '%') text += '%';
  if (['E', 'F', 'G'].includes(type)) text = text.toUpperCase();
  const keeps =
    negative && !(spec.noNegativeZero && !/[1-9]/.test(text.replace(/e.*$/i, '')) && Number.isFinite(input));
  const [, whole = '', rest = ''] = /^(\d*)(.*)$/s.exec(text) as RegExpExecArray;
  if (whole === '') return number(keeps, '', '', rest, spec, 3);
  return number(keeps, '', whole, rest, spec, 3);
}

function floatDigits(size: number, type: string, spec: FormatSpec): string {
  if (Number.isNaN(size)) return 'nan';
  if (!Number.isFinite(size)) return 'inf';
  const { precision, alternate } = spec;
  switch (type) {
    case 'e':
    case 'E':
      return withPoint(exponent(size, precision ?? 6), alternate);
    case 'f':
    case 'F':
    case '%':
      return withPoint(fixed(size, precision ?? 6), alternate);
    case 'g':
    case 'G':
      return general(size, precision ?? 6, alternate, false);
    default:
      return precision === undefined ? shortest(size) : general(size, precision, alternate, true);
  }
}

const withPoint = (text: string, alternate: boolean): string =>
  !alternate || text.includes('.') ? text : text.includes('e') ? text.replace('e', '.e') : `${text}.`;

/** repr() of a positive float. */
function shortest(size: number): string {
  const [mantissa = '', power = '0'] = size.toExponential().split('e');
  const e = Number(power);
  if (size !== 0 && (e < -4 || e >= 16))
    return `${mantissa}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
  const digits = mantissa.replace('.', '');
  if (e < 0) return `0.${'0'.repeat(-e - 1)}${digits}`;
  return `${digits.slice(0, e + 1).padEnd(e + 1, '0')}.${digits.slice(e + 1) || '0'}`;
}

/** A double's exact value as an integer times a power of ten: every double is one. */
function exact(size: number): { readonly digits: bigint; readonly power: number } {
  if (size === 0) return { digits: 0n, power: 0 };
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, size);
  const raw = bits.getBigUint64(0);
  const stored = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  const mantissa = stored === 0 ? fraction : fraction | (1n << 52n);
  const two = (stored === 0 ? 1 : stored) - 1075;
  return two >= 0
    ? { digits: mantissa << BigInt(two), power: 0 }
    : { digits: mantissa * 5n ** BigInt(-two), power: two };
}

/** Half to even on the exact value. */
function rounded(digits: bigint, drop: number): bigint {
  if (drop <= 0) return digits * 10n ** BigInt(-drop);
  const unit = 10n ** BigInt(drop);
  const whole = digits / unit;
  const rest = (digits % unit) * 2n;
  return rest > unit || (rest === unit && whole % 2n === 1n) ? whole + 1n : whole;
}

function fixed(size: number, precision: number): string {
  const { digits, power } = exact(size);
  const text = rounded(digits, -power - precision)
    .toString()
    .padStart(precision + 1, '0');
  return precision === 0 ? text : `${text.slice(0, -precision)}.${text.slice(-precision)}`;
}

/** Significant digits and decimal exponent, rounded to `count` digits. */
function significant(size: number, count: number): { readonly text: string; readonly exponent: number } {
  const { digits, power } = exact(size);
  if (digits === 0n) return { text: '0'.repeat(count), exponent: 0 };
  const length = digits.toString().length;
  const text = rounded(digits, length - count).toString();
  const grown = text.length > count ? 1 : 0;
  return { text: text.slice(0, count), exponent: length + power - 1 + grown };
}

function exponent(size: number, precision: number): string {
  const { text, exponent: e } = significant(size, precision + 1);
  const mantissa = precision === 0 ? text : `${text[0]}.${text.slice(1)}`;
  return `${mantissa}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
}

/** `g`; with `asRepr` the form of no type: one digit after the point at least, and an exponent one digit earlier. */
function general(size: number, given: number, alternate: boolean, asRepr: boolean): string {
  const precision = given === 0 ? 1 : given;
  const { text, exponent: e } = significant(size, precision);
  const scientific = e < -4 || e >= (asRepr ? precision - 1 : precision);
  const kept = alternate ? text : text.replace(/0+$/, '') || '0';
  if (scientific) {
    const mantissa = kept.length > 1 ? `${kept[0]}.${kept.slice(1)}` : `${kept}${alternate ? '.' : ''}`;
    return `${mantissa}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
  }
  if (e < 0) return `0.${'0'.repeat(-e - 1)}${kept}`;
  const whole = kept.slice(0, e + 1).padEnd(e + 1, '0');
  const rest = kept.slice(e + 1);
  if (rest !== '') return `${whole}.${rest}`;
  return asRepr ? `${whole}.0` : alternate ? `${whole}.` : whole;
}

/** Sign, prefix, grouped digits and what follows them, filled to the width. */
function number(
  negative: boolean,
  prefix: string,
  digits: string,
  rest: string,
  spec: FormatSpec,
  group: number,
): string {
  const sign = negative ? '-' : spec.sign === '+' ? '+' : spec.sign === ' ' ? ' ' : '';
  const head = sign + prefix;
  const fill = spec.zero && spec.align === '' ? '0' : spec.fill;
  const align = spec.align === '' && spec.zero ? '=' : spec.align;
  let body = digits;
  if (spec.grouping !== '' && digits !== '') {
    // Zeros that fill the width are grouped along with the digits.
    const room =
      align === '=' && (fill || (spec.zero ? '0' : ' ')) === '0' ? spec.width - head.length - rest.length : 0;
    body = grouped(digits.padStart(digitsFor(room, group), '0'), spec.grouping, group);
  }
  return padded(head, body + rest, { ...spec, align }, spec.zero ? '0' : ' ', '>');
}

/** The least number of digits that fill so much room once they are grouped. */
function digitsFor(room: number, group: number): number {
  const digits = Math.max(0, Math.ceil((room * group) / (group + 1)));
  return digits + Math.floor((digits - 1) / group) < room ? digits + 1 : digits;
}

function grouped(digits: string, mark: string, group: number): string {
  const first = digits.length % group;
  const groups = first === 0 ? [] : [digits.slice(0, first)];
  for (let at = first; at < digits.length; at += group) groups.push(digits.slice(at, at + group));
  return groups.join(mark);
}

function padded(head: string, body: string, spec: FormatSpec, filler: string, normal: '<' | '>' | '='): string {
  const missing = spec.width - textLength(head + body);
  if (missing <= 0) return head + body;
  const fill = spec.fill === '' ? filler : spec.fill;
  const align = spec.align === '' ? normal : spec.align;
  if (align === '<') return head + body + fill.repeat(missing);
  if (align === '>') return fill.repeat(missing) + head + body;
  if (align === '=') return head + fill.repeat(missing) + body;
  const left = Math.floor(missing / 2);
  return fill.repeat(left) + head + body + fill.repeat(missing - left);
}
