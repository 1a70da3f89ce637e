import {
  Always,
  Dict,
  isList,
  Moment,
  Path,
  PySet,
  PythonError,
  Status,
  Struct,
  Url,
  type Value,
  Waiting,
} from './value.ts';

/** Digits beyond which Python refuses to write an integer (sys.int_info.default_max_str_digits). */
const MAX_DIGITS = 4300;

/** `str(value)`. @throws Waiting where a part of it is not known yet */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Status) return value.member;
  if (value instanceof Path || value instanceof Url || value instanceof Moment) return value.text;
  return repr(value);
}

/** `repr(value)` */
export function repr(value: Value, depth = 0): string {
  if (depth > 200) throw new PythonError('ValueError', 'nested too deeply to be written');
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'string') return quoted(value);
  if (isList(value)) return `[${value.map((item) => repr(item, depth + 1)).join(', ')}]`;
  if (value instanceof Dict) {
    const pairs = [...value.entries()].map(([key, item]) => `${repr(key, depth + 1)}: ${repr(item, depth + 1)}`);
    return `{${pairs.join(', ')}}`;
  }
  if (value instanceof PySet) {
    return value.items.length === 0 ? 'set()' : `{${value.items.map((item) => repr(item, depth + 1)).join(', ')}}`;
  }
  if (value instanceof Status) return `<${value.member}: ${quoted(value.value)}>`;
  if (value instanceof Path) return `${value.local ? 'PosixPath' : 'PurePosixPath'}(${quoted(value.text)})`;
  if (value instanceof Url) return `URL('${value.text}')`;
  if (value instanceof Moment) return `datetime.${value.type}(${value.text})`;
  if (value instanceof Always) return 'always()';
  if (value instanceof Struct) {
    const fields = Object.entries(value.fields).map(([name, item]) => `${name}=${repr(item, depth + 1)}`);
    return `${value.type}(${fields.join(', ')})`;
  }
  throw new Waiting(value.waits);
}

export function intText(value: bigint): string {
  const text = value.toString();
  if (text.length > MAX_DIGITS + (value < 0n ? 1 : 0)) {
    throw new PythonError('ValueError', `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`);
  }
  return text;
}

/** Shortest text that reads back as the same number, with an exponent from 1e16 up and below 1e-4. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const plain = plainDecimal(mantissa, exponent);
  return plain.includes('.') ? plain : `${plain}.0`;
}

function plainDecimal(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const rest = digits.slice(exponent + 1);
  return rest === '' ? sign + whole : `${sign}${whole}.${rest}`;
}

/** Neither letters, marks, numbers, signs nor the plain blank (str.isprintable). */
const UNPRINTABLE = /^[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]$/u;

export function isPrintable(char: string): boolean {
  return char === ' ' || !UNPRINTABLE.test(char);
}

/** A text as Python's literal; `ascii` escapes all that ASCII lacks. */
export function quoted(text: string, ascii = false): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === mark || char === '\\') out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\r') out += '\\r';
    else if (char === '\t') out += '\\t';
    else if (code < 0x7f && code >= 0x20) out += char;
    else if (!ascii && isPrintable(char)) out += char;
    else if (code <= 0xff) out += `\\x${hex(code, 2)}`;
    else out += code <= 0xffff ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  }
  return mark + out + mark;
}

const hex = (code: number, width: number): string => code.toString(16).padStart(width, '0');

/** Length in code points. */
export function textLength(text: string): number {
  let length = text.length;
  for (let index = 1; index < text.length; index++) {
    if (isLow(text.charCodeAt(index)) && isHigh(text.charCodeAt(index - 1))) length -= 1;
  }
  return length;
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/** Order by code points. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left === right) continue;
    const above = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
    return above(left) - above(right);
  }
  return a.length - b.length;
}
