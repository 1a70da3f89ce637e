import { repr } from './text.ts';
import { PythonError, valueError } from './value.ts';

/** White space as str.strip() takes it. */
const BLANKS = /^[\s\x1c-\x1f\x85]+|[\s\x1c-\x1f\x85]+$/g;
const strip = (text: string): string => text.replace(BLANKS, '').replaceAll('\ufeff', '?');

/** `int(text)`: decimal digits, single underscores between them. @throws PythonError */
export function intOfText(text: string): bigint {
  const plain = asciiDigits(strip(text));
  if (!/^[+-]?[0-9]+(_[0-9]+)*$/.test(plain)) throw valueError(`invalid literal for int() with base 10: ${repr(text)}`);
  const digits = plain.replaceAll('_', '');
  if (digits.replace(/^[+-]/, '').length > 4300) {
    throw valueError('Exceeds the limit (4300 digits) for integer string conversion');
  }
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''));
}

/** `int(number)`: towards zero. @throws PythonError for what is not finite */
export function intOfFloat(value: number): bigint {
  if (Number.isNaN(value)) throw valueError('cannot convert float NaN to integer');
  if (!Number.isFinite(value)) throw new PythonError('OverflowError', 'cannot convert float infinity to integer');
  return BigInt(Math.trunc(value));
}

const FLOAT = /^[+-]?([0-9]+(_[0-9]+)*\.?([0-9]+(_[0-9]+)*)?|\.[0-9]+(_[0-9]+)*)([eE][+-]?[0-9]+(_[0-9]+)*)?$/;

/** `float(text)`. @throws PythonError */
export function floatOfText(text: string): number {
  const plain = asciiDigits(strip(text));
  const word = /^([+-]?)(inf|infinity|nan)$/i.exec(plain);
  if (word !== null) {
    if (word[2]?.toLowerCase() === 'nan') return Number.NaN;
    return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (!FLOAT.test(plain)) throw valueError(`could not convert string to float: ${repr(text)}`);
  return Number(plain.replaceAll('_', ''));
}

/** `float(int)`. @throws PythonError beyond what a double holds */
export function floatOfInt(value: bigint): number {
  const result = Number(value);
  if (!Number.isFinite(result)) throw new PythonError('OverflowError', 'int too large to convert to float');
  return result;
}

/** Decimal digits of all scripts count as digits (Unicode property Nd): each script's ten stand in a row from zero. */
function asciiDigits(text: string): string {
  return /[^\0-\x7f]/.test(text)
    ? text.replace(/\p{Nd}/gu, (char) => {
        const code = char.codePointAt(0) ?? 0;
        let zero = code;
        while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
        return String(code - zero);
      })
    : text;
}
