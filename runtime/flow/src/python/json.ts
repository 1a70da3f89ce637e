import { compareText, floatText, intText } from './text.ts';
import {
  Always,
  Dict,
  isList,
  Later,
  Moment,
  Path,
  PySet,
  type PythonError,
  Status,
  Struct,
  typeError,
  typeName,
  Url,
  type Value,
  valueError,
  Waiting,
} from './value.ts';

export interface JsonOptions {
  /** Keys of mappings in order. @default false */
  readonly sortKeys?: boolean;
}

/** `json.dumps(value)` of Python: `, ` and `: ` between parts, all but ASCII escaped. @throws PythonError */
export function toJson(value: Value, options: JsonOptions = {}, depth = 0): string {
  if (depth > 900) throw valueError('nested too deeply for JSON');
  const inner = (item: Value): string => toJson(item, options, depth + 1);
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'bigint') return intText(value);
  if (typeof value === 'number') return jsonFloat(value);
  if (typeof value === 'string') return jsonText(value);
  if (value instanceof Status) return jsonText(value.value);
  if (isList(value)) return `[${value.map(inner).join(', ')}]`;
  if (value instanceof PySet) return `[${sorted(value.items).map(inner).join(', ')}]`;
  if (value instanceof Path || value instanceof Url || value instanceof Moment) return jsonText(value.text);
  if (value instanceof Always) return jsonText('always()');
  if (value instanceof Later) throw new Waiting(value.waits);
  const pairs: [string, Value][] =
    value instanceof Struct
      ? Object.entries(value.fields)
      : [...value.entries()].map(([key, item]) => [keyText(key), item]);
  if (options.sortKeys === true) pairs.sort(([a], [b]) => compareText(a, b));
  return `{${pairs.map(([key, item]) => `${jsonText(key)}: ${inner(item)}`).join(', ')}}`;
}

function sorted(items: readonly Value[]): readonly Value[] {
  if (items.every((item) => typeof item === 'string')) return [...items].sort(compareText);
  if (items.every((item) => typeof item === 'bigint')) return [...items].sort((a, b) => (a < b ? -1 : 1));
  if (items.length < 2) return items;
  throw typeError("'<' not supported between the items of a set");
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key instanceof Status) return key.value;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return key ? 'true' : 'false';
  if (typeof key === 'bigint') return intText(key);
  if (typeof key === 'number') return jsonFloat(key);
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity';
  return floatText(value);
}

/** A JSON string of ASCII characters alone. */
export function jsonText(text: string): string {
  const quoted = JSON.stringify(text);
  if (/^[\0-\x7e]*$/.test(quoted)) return quoted;
  return quoted.replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `json.loads(text)` of Python, which knows NaN and Infinity and tells int from float. @throws PythonError */
export function fromJson(text: string): Value {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
    this.#blanks();
  }

  value(depth: number): Value {
    if (depth > 900) throw valueError('nested too deeply for JSON');
    const char = this.#text[this.#at];
    if (char === '"') return this.#string();
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.#text);
    if (number === null) throw this.#fault('Expecting value');
    this.#at += number[0].length;
    if (number[1] !== undefined || number[2] !== undefined) return Number(number[0]);
    if (number[0].length > 4300) throw valueError('Exceeds the limit (4300 digits) for integer string conversion');
    return BigInt(number[0]);
  }

  end(): void {
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#fault('Extra data');
  }

  #object(depth: number): Dict {
    const result = new Dict();
    this.#step();
    if (this.#text[this.#at] === '}') {
      this.#at += 1;
      return result;
    }
    for (;;) {
      if (this.#text[this.#at] !== '"') throw this.#fault('Expecting property name enclosed in double quotes');
      const key = this.#string();
      this.#blanks();
      if (this.#text[this.#at] !== ':') throw this.#fault("Expecting ':' delimiter");
      this.#step();
      result.set(key, this.value(depth + 1));
      this.#blanks();
      const next = this.#text[this.#at];
      if (next === '}') {
        this.#at += 1;
        return result;
      }
      if (next !== ',') throw this.#fault("Expecting ',' delimiter");
      this.#step();
    }
  }

  #array(depth: number): readonly Value[] {
    const result: Value[] = [];
    this.#step();
    if (this.#text[this.#at] === ']') {
      this.#at += 1;
      return result;
    }
    for (;;) {
      result.push(this.value(depth + 1));
      this.#blanks();
      const next = this.#text[this.#at];
      if (next === ']') {
        this.#at += 1;
        return result;
      }
      if (next !== ',') throw this.#fault("Expecting ',' delimiter");
      this.#step();
    }
  }

  #string(): string {
    STRING.lastIndex = this.#at;
    const match = STRING.exec(this.#text);
    if (match === null) throw this.#fault('Unterminated string or invalid escape');
    this.#at += match[0].length;
    return JSON.parse(match[0]) as string;
  }

  #step(): void {
    this.#at += 1;
    this.#blanks();
  }
  #blanks(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at += 1;
  }
  #fault(message: string): PythonError {
    return valueError(`${message}: char ${this.#at}`);
  }
}

const STRING = /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const WORDS: readonly (readonly [string, Value])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];
