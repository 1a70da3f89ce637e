import { floatOfInt } from './number.ts';
import { percentFormat } from './percent.ts';
import { compareText, str } from './text.ts';
import { childUrl, updatedQuery } from './url.ts';
import {
  Dict,
  isList,
  iterate,
  Later,
  Path,
  PySet,
  PythonError,
  Struct,
  tryText,
  typeError,
  typeName,
  Url,
  type Value,
  valueError,
  Waiting,
} from './value.ts';

export type BinaryOperator = 'or' | 'and' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '|' | '+' | '-' | '*' | '/' | '%';
export type UnaryOperator = 'not' | '+' | '-';

/** Characters that one expression may make in all its values; Python's only bound is the machine's memory. */
export const MAX_SIZE = 4_000_000;
/** An item of a list or mapping weighs as much as so many characters. */
export const ITEM_SIZE = 8;

/** `a OP b` for all but `and` and `or`. @throws PythonError */
export function binary(operator: Exclude<BinaryOperator, 'or' | 'and'>, a: Value, b: Value): Value {
  switch (operator) {
    case '==':
      return equal(a, b);
    case '!=':
      return !equal(a, b);
    case '<':
      return ordered(operator, a, b, (order) => order < 0);
    case '<=':
      return ordered(operator, a, b, (order) => order <= 0);
    case '>':
      return ordered(operator, a, b, (order) => order > 0);
    case '>=':
      return ordered(operator, a, b, (order) => order >= 0);
    case '|':
      return union(a, b);
    case '%': {
      if (a instanceof Url) return updatedQuery(a, b);
      const text = tryText(a);
      if (text === undefined) return arithmetic(operator, a, b);
      const formatted = percentFormat(text, b);
      // CPython gives a text without a directive back as it is: a status stays one.
      return text.includes('%') ? formatted : a;
    }
    default:
      return arithmetic(operator, a, b);
  }
}

/** `+a`, `-a`. @throws PythonError */
export function signed(operator: '+' | '-', value: Value): Value {
  const number = tryNumber(value);
  if (number === undefined) throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  return operator === '+' ? number : -number;
}

/** An int or float; True is 1 and False 0. */
export function tryNumber(value: Value): bigint | number | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  return typeof value === 'boolean' ? (value ? 1n : 0n) : undefined;
}

export function equal(a: Value, b: Value): boolean {
  if (a instanceof Later) throw new Waiting(a.waits);
  if (b instanceof Later) throw new Waiting(b.waits);
  if (a === b) return true;
  const left = tryNumber(a);
  const right = tryNumber(b);
  // An int and a float are equal where they are the same number exactly, as JavaScript's == of the two means.
  // biome-ignore lint/suspicious/noDoubleEquals: bigint against number
  if (left !== undefined && right !== undefined) return left == right;
  const text = tryText(a);
  if (text !== undefined) return text === tryText(b);
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, index) => equal(item, b[index] as Value));
  if (a instanceof Dict) {
    if (!(b instanceof Dict) || a.size !== b.size) return false;
    return [...a.entries()].every(([key, value]) => b.has(key) && equal(value, b.get(key) as Value));
  }
  if (a instanceof PySet) return b instanceof PySet && a.items.length === b.items.length && within(a, b);
  if (a instanceof Path) return b instanceof Path && a.text === b.text;
  if (a instanceof Url) return b instanceof Url && a.text === b.text;
  if (a instanceof Struct) {
    if (!(b instanceof Struct) || a.type !== b.type) return false;
    return Object.entries(a.fields).every(([name, value]) => equal(value, b.fields[name] as Value));
  }
  return false;
}

const within = (a: PySet, b: PySet): boolean => {
  const all = new Dict(b.items.map((item) => [item, null]));
  return a.items.every((item) => all.has(item));
};

type Order = (order: number) => boolean;

function ordered(operator: string, a: Value, b: Value, holds: Order): boolean {
  const left = tryNumber(a);
  const right = tryNumber(b);
  if (left !== undefined && right !== undefined) {
    if (Number.isNaN(left) || Number.isNaN(right)) return false;
    return holds(left < right ? -1 : left > right ? 1 : 0);
  }
  const text = tryText(a);
  const other = tryText(b);
  if (text !== undefined && other !== undefined) return holds(compareText(text, other));
  if (isList(a) && isList(b)) {
    const length = Math.min(a.length, b.length);
    for (let index = 0; index < length; index++) {
      const [x, y] = [a[index] as Value, b[index] as Value];
      if (!equal(x, y)) return ordered(operator, x, y, holds);
    }
    return holds(a.length - b.length);
  }
  if (a instanceof PySet && b instanceof PySet) {
    const [small, large] = operator.startsWith('<') ? [a, b] : [b, a];
    return within(small, large) && (operator.endsWith('=') || small.items.length < large.items.length);
  }
  if (a instanceof Path && b instanceof Path) return holds(comparePaths(a.text, b.text));
  if (a instanceof Url && b instanceof Url) return holds(compareText(a.text, b.text));
  throw typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const order = compareText(left[index] as string, right[index] as string);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** `|`: bits, sets, and mappings laid over each other (the right one wins, unless only it is a mapping). */
function union(a: Value, b: Value): Value {
  if (a instanceof Dict) return updated(a, b);
  if (b instanceof Dict) return updated(b, a);
  if (typeof a === 'boolean' && typeof b === 'boolean') return a || b;
  const left = tryNumber(a);
  const right = tryNumber(b);
  if (typeof left === 'bigint' && typeof right === 'bigint') return left | right;
  if (a instanceof PySet && b instanceof PySet) return new PySet([...a.items, ...b.items]);
  throw unsupported('|', a, b);
}

/** dict.update: takes a mapping or a collection of pairs. */
function updated(base: Dict, other: Value): Dict {
  const result = new Dict(base.entries());
  if (other instanceof Dict) {
    for (const [key, value] of other.entries()) result.set(key, value);
    return result;
  }
  for (const item of iterate(other)) {
    const pair = [...iterate(item)];
    if (pair.length !== 2) throw valueError('dictionary update sequence element has not length 2');
    result.set(pair[0] as Value, pair[1] as Value);
  }
  return result;
}

function arithmetic(operator: '+' | '-' | '*' | '/' | '%', a: Value, b: Value): Value {
  const left = tryNumber(a);
  const right = tryNumber(b);
  if (left !== undefined && right !== undefined) {
    if (typeof left === 'bigint' && typeof right === 'bigint') return calculated(operator, left, right);
    return calculated(operator, toFloat(left), toFloat(right));
  }
  if (operator === '*' && left !== undefined) return repeated(b, left, a);
  if (operator === '*' && right !== undefined) return repeated(a, right, b);
  if (operator === '+') {
    const text = tryText(a);
    const other = tryText(b);
    if (text !== undefined && other !== undefined) return bounded(text.length + other.length) && text + other;
    if (isList(a) && isList(b)) return bounded(ITEM_SIZE * (a.length + b.length)) && [...a, ...b];
  }
  if (operator === '-' && a instanceof PySet && b instanceof PySet) {
    const all = new Dict(b.items.map((item) => [item, null]));
    return new PySet(a.items.filter((item) => !all.has(item)));
  }
  if (operator === '/') {
    const joined = joinedPath(a, b);
    if (joined !== undefined) return joined;
  }
  throw unsupported(operator, a, b);
}

function joinedPath(a: Value, b: Value): Value | undefined {
  const part = b instanceof Path ? b.text : tryText(b);
  if (a instanceof Path && part !== undefined) return a.join(part);
  if (a instanceof Url && tryText(b) !== undefined) return childUrl(a, str(b));
  if (b instanceof Path) {
    const before = tryText(a);
    if (before !== undefined) return new Path(before, b.local).join(b.text);
  }
  return undefined;
}

const toFloat = (value: bigint | number): number => (typeof value === 'bigint' ? floatOfInt(value) : value);
/** True: a value may be of this size, in characters. @throws PythonError where it would fill the memory */
export const bounded = (size: number): true => {
  if (size > MAX_SIZE)
    throw new PythonError(
      'MemoryError',
      `a value of more than ${MAX_SIZE} characters, or ${MAX_SIZE / ITEM_SIZE} items`,
    );
  return true;
};
const unsupported = (operator: string, a: Value, b: Value): PythonError =>
  typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
const byZero = (): PythonError => new PythonError('ZeroDivisionError', 'division by zero');

const isZero = (value: bigint | number): boolean => value === 0 || value === 0n;

/** Two numbers of one kind: what JavaScript means by `+`, `-`, `*` and `%` is the same for both kinds. */
function calculated<T extends bigint | number>(operator: '+' | '-' | '*' | '/' | '%', a: T, b: T): bigint | number {
  const [left, right] = [a as number, b as number];
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      if (isZero(b)) throw byZero();
      return typeof a === 'bigint' ? quotient(a, b as bigint) : left / right;
    case '%': {
      if (isZero(b)) throw byZero();
      const rest = left % right;
      // A rest has the sign of the divisor, also where it is the float zero.
      if (isZero(rest)) return typeof a === 'bigint' ? rest : b < 0 ? -0 : 0;
      return rest < 0 !== b < 0 ? rest + right : rest;
    }
  }
}

/** True division, correctly rounded also where the operands are beyond what a double holds exactly. */
function quotient(a: bigint, b: bigint): number {
  const limit = 2n ** 53n;
  const size = (value: bigint): bigint => (value < 0n ? -value : value);
  if (size(a) <= limit && size(b) <= limit) return Number(a) / Number(b);
  const negative = a < 0n !== b < 0n;
  const [top, bottom] = [size(a), size(b)];
  const shift = 66 - (top.toString(2).length - bottom.toString(2).length);
  const scaled = shift >= 0 ? (top << BigInt(shift)) / bottom : top / (bottom << BigInt(-shift));
  const exact = shift >= 0 ? scaled * bottom === top << BigInt(shift) : scaled * (bottom << BigInt(-shift)) === top;
  // A sticky last bit keeps the one rounding of Number() right.
  const result = scale(Number(exact ? scaled : scaled | 1n), -shift);
  if (!Number.isFinite(result)) throw new PythonError('OverflowError', 'integer division result too large for a float');
  return negative ? -result : result;
}

function scale(value: number, power: number): number {
  let result = value;
  for (let left = power; left !== 0; ) {
    const step = Math.max(-1000, Math.min(1000, left));
    result *= 2 ** step;
    left -= step;
  }
  return result;
}

function repeated(value: Value, count: bigint | number, counter: Value): Value {
  const text = tryText(value);
  if (text === undefined && !isList(value)) throw unsupported('*', value, counter);
  if (typeof count === 'number') throw typeError("can't multiply sequence by non-int of type 'float'");
  const times = count < 0n ? 0 : Number(count > 1n << 40n ? 1n << 40n : count);
  const length = text === undefined ? (value as readonly Value[]).length : text.length;
  bounded(times * length * (text === undefined ? ITEM_SIZE : 1));
  if (length === 0) return text === undefined ? [] : '';
  if (text !== undefined) return text.repeat(times);
  return Array.from({ length: times }, () => value as readonly Value[]).flat();
}
