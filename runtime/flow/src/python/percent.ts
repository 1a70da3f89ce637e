import { ascii } from './format.ts';
import { formatFloat, formatInt } from './format-spec.ts';
import { intOfFloat } from './number.ts';
import { repr, str, textLength } from './text.ts';
import { Dict, isList, PythonError, tryText, typeError, typeName, type Value, valueError } from './value.ts';

const DIRECTIVE = /%(?:\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\))?([-+ #0]*)(\d+|\*)?(?:\.(\d*|\*))?[hlL]?(.)?/gsu;
const MAX_WIDTH = 1_000_000;

/** Text `%` value: printf-style formatting. A value is one argument, a mapping serves `%(name)s` too. @throws PythonError */
export function percentFormat(format: string, value: Value): string {
  const mapping = value instanceof Dict ? value : undefined;
  let left = 1;
  const next = (): Value => {
    if (left === 0) throw typeError('not enough arguments for format string');
    left = 0;
    return value;
  };
  let used = mapping !== undefined || isList(value);
  const result = format.replace(DIRECTIVE, (_whole, name, flags, width, precision, type: string | undefined) => {
    if (width === '*' || precision === '*') throw typeError('* wants int');
    if (type === undefined) throw valueError(`incomplete format`);
    let argument: Value = null;
    if (name !== undefined) {
      if (mapping === undefined) throw typeError('format requires a mapping');
      const found = mapping.get(name);
      if (found === undefined) throw new PythonError('KeyError', repr(name));
      argument = found;
      left = 0;
    }
    if (type === '%') return '%';
    if (name === undefined) argument = next();
    used = true;
    return directive(type, argument, {
      flags,
      width: size(width),
      precision: precision === undefined ? undefined : size(precision === '' ? '0' : precision),
    });
  });
  if (!used && left === 1) throw typeError('not all arguments converted during string formatting');
  return result;
}

const size = (digits: string | undefined): number => {
  const result = Number(digits ?? '0');
  if (result > MAX_WIDTH) throw valueError('width too big');
  return result;
};

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

function directive(type: string, value: Value, { flags, width, precision }: Directive): string {
  const has = (flag: string): boolean => flags.includes(flag);
  const pad = (head: string, body: string, zero: boolean): string => {
    const missing = Math.max(0, width - textLength(head + body));
    if (has('-')) return head + body + ' '.repeat(missing);
    return zero ? head + '0'.repeat(missing) + body : ' '.repeat(missing) + head + body;
  };
  const sign = (negative: boolean): string => (negative ? '-' : has('+') ? '+' : has(' ') ? ' ' : '');
  const base = { fill: '', align: '' as const, sign: '' as const, noNegativeZero: false, zero: false, width: 0 };
  switch (type) {
    case 's':
    case 'r':
    case 'a': {
      const text = type === 's' ? str(value) : type === 'r' ? repr(value) : ascii(repr(value));
      return pad('', precision === undefined ? text : [...text].slice(0, precision).join(''), false);
    }
    case 'c':
      return pad('', character(value), false);
    case 'd':
    case 'i':
    case 'u':
    case 'o':
    case 'x':
    case 'X': {
      const whole = integer(type, value);
      const decimal = type === 'd' || type === 'i' || type === 'u';
      const spec = {
        ...base,
        alternate: false,
        grouping: '' as const,
        precision: undefined,
        type: decimal ? 'd' : type,
      };
      const digits = formatInt(whole < 0n ? -whole : whole, spec).padStart(precision ?? 0, '0');
      const prefix = has('#') && !decimal ? `0${type}` : '';
      return pad(sign(whole < 0n) + prefix, digits, has('0'));
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      const number = typeof value === 'bigint' ? Number(value) : typeof value === 'boolean' ? Number(value) : value;
      if (typeof number !== 'number') throw typeError(`must be real number, not ${typeName(value)}`);
      if (typeof value === 'bigint' && !Number.isFinite(number)) {
        throw new PythonError('OverflowError', 'int too large to convert to float');
      }
      const spec = { ...base, alternate: has('#'), grouping: '' as const, precision: precision ?? 6, type };
      const negative = number < 0 || Object.is(number, -0);
      return pad(sign(negative), formatFloat(Math.abs(number), spec), has('0'));
    }
    default:
      throw valueError(`unsupported format character '${type}'`);
  }
}

function integer(type: string, value: Value): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && ['d', 'i', 'u'].includes(type)) return intOfFloat(value);
  throw typeError(`%${type} format: a real number is required, not ${typeName(value)}`);
}

function character(value: Value): string {
  const text = tryText(value);
  if (text !== undefined && textLength(text) === 1) return text;
  const code = typeof value === 'boolean' ? BigInt(value) : value;
  if (typeof code !== 'bigint') throw typeError('%c requires int or char');
  if (code < 0n || code > 0x10ffffn) throw new PythonError('OverflowError', '%c arg not in range(0x110000)');
  return String.fromCodePoint(Number(code));
}
