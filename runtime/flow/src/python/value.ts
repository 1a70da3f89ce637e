import type { LaterShape } from '../expr/later-shape.ts';
/*
 * The values that expressions of Apolo Flow are made of. The language means what Python 3.11 means, so each kind here
 * is one of Python's:
 *
 *   None null · bool boolean · int bigint · float number · str string · list array · dict Dict · set PySet
 *   dataclass Struct · str-and-enum Status · pathlib Path · yarl Url · the marker of always() Always
 */

/** A status of a task: text that compares like its value and prints like an enumeration's member. */
export class Status {
  readonly value: string;
  constructor(value: string) {
    this.value = value;
  }
  get member(): string {
    return `TaskStatus.${this.value.toUpperCase()}`;
  }
}

/** The value of `always()`: a task with it survives when its bake is cancelled. */
export class Always {
  readonly text = 'always()';
}
export const ALWAYS: Always = Object.freeze(new Always());

/** A POSIX path; `local` ones lie on the user's machine, the others in a container. */
export class Path {
  readonly text: string;
  readonly local: boolean;
  constructor(text: string, local: boolean) {
    this.text = normalPath(text);
    this.local = local;
  }
  join(other: string): Path {
    return new Path(other.startsWith('/') ? other : `${this.text}/${other}`, this.local);
  }
}

/** As pathlib keeps a path: no empty and no `.` parts; exactly two leading slashes stay two (POSIX.1-2017, 4.13). */
export function normalPath(text: string): string {
  const root = text.startsWith('//') && !text.startsWith('///') ? '//' : text.startsWith('/') ? '/' : '';
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  return root + parts.join('/') || '.';
}

/** A date or time that a file holds unquoted; the language only ever prints it. */
export class Moment {
  readonly text: string;
  readonly type: 'date' | 'datetime';
  constructor(text: string, type: 'date' | 'datetime') {
    this.text = text;
    this.type = type;
  }
}

/** Stands for a value that is not known yet: an entry of a context that comes later. */
export class Later {
  readonly waits: string;
  readonly shape: LaterShape | undefined;
  constructor(waits: string, shape?: LaterShape) {
    this.waits = waits;
    this.shape = shape;
  }
}

/** Thrown where a value is asked for that is not there yet: a context, or a function's source. */
export class Waiting extends Error {
  readonly waits: string;
  constructor(waits: string) {
    super(`waits for ${waits}`);
    this.waits = waits;
  }
}

/** An address such as `storage:data`, in its quoted form. */
export class Url {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** An object with named fields, and properties computed from them; only fields show when it is printed. */
export class Struct {
  readonly type: string;
  readonly fields: Readonly<Record<string, Value>>;
  readonly properties: Readonly<Record<string, () => Value>>;
  constructor(
    type: string,
    fields: Readonly<Record<string, Value>>,
    properties: Readonly<Record<string, () => Value>> = {},
  ) {
    this.type = type;
    this.fields = fields;
    this.properties = properties;
  }
  tryGet(name: string): Value | undefined {
    if (Object.hasOwn(this.fields, name)) return this.fields[name];
    return Object.hasOwn(this.properties, name) ? this.properties[name]?.() : undefined;
  }
}

type Key = string | bigint | number | null | object;

/** A mapping in order of insertion, whose keys are equal as Python's are: 1, 1.0 and True are one key. */
export class Dict {
  readonly #entries = new Map<Key, readonly [key: Value, value: Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }
  static of(record: Readonly<Record<string, Value>>): Dict {
    return new Dict(Object.entries(record));
  }
  get size(): number {
    return this.#entries.size;
  }
  /** @throws PythonError for a key that cannot be hashed */
  get(key: Value): Value | undefined {
    return this.#entries.get(hashKey(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(hashKey(key));
  }
  set(key: Value, value: Value): void {
    const hash = hashKey(key);
    this.#entries.set(hash, [this.#entries.get(hash)?.[0] ?? key, value]);
  }
  delete(key: Value): void {
    this.#entries.delete(hashKey(key));
  }
  entries(): Iterable<readonly [Value, Value]> {
    return this.#entries.values();
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  *values(): Iterable<Value> {
    for (const [, value] of this.#entries.values()) yield value;
  }
}

/** A set. Python's order of it differs from run to run; here it is that of the items' text. */
export class PySet {
  readonly items: readonly Value[];
  constructor(items: Iterable<Value>) {
    const all = new Dict([...items].map((item) => [item, null]));
    this.items = [...all.keys()].sort((a, b) => (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0));
  }
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Value[]
  | Dict
  | PySet
  | Struct
  | Status
  | Path
  | Url
  | Moment
  | Later
  | Always;

/** An error of evaluation. `kind` is Python's class of the error. */
export class PythonError extends Error {
  readonly kind: 'TypeError' | 'ValueError' | 'KeyError' | 'ZeroDivisionError' | 'OverflowError' | 'MemoryError';
  constructor(kind: PythonError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export const typeError = (message: string): PythonError => new PythonError('TypeError', message);
export const valueError = (message: string): PythonError => new PythonError('ValueError', message);

function hashKey(key: Value): Key {
  if (typeof key === 'boolean') return key ? 1n : 0n;
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : key;
  if (key instanceof Status) return key.value;
  if (key instanceof Path) return `\0path:${key.local}:${key.text}`;
  if (key instanceof Url) return `\0url:${key.text}`;
  if (Array.isArray(key) || key instanceof Dict || key instanceof PySet) {
    throw typeError(`unhashable type: '${typeName(key)}'`);
  }
  return key as Key;
}

/** The name of a value's type, as messages say it. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'string') return 'str';
  if (value instanceof Dict) return 'dict';
  if (value instanceof PySet) return 'set';
  if (value instanceof Struct) return value.type;
  if (value instanceof Status) return 'TaskStatus';
  if (value instanceof Path) return value.local ? 'PosixPath' : 'PurePosixPath';
  if (value instanceof Url) return 'URL';
  if (value instanceof Moment) return value.type;
  if (value instanceof Later) return 'unknown';
  if (value instanceof Always) return 'AlwaysT';
  return 'list';
}

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
/** Text, which a status is too. */
export function tryText(value: Value): string | undefined {
  return typeof value === 'string' ? value : value instanceof Status ? value.value : undefined;
}

/** Python's truth of a value. */
export function truthy(value: Value): boolean {
  if (value === null) return false;
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'bigint':
      return value !== 0n;
    case 'number':
      return value !== 0;
    case 'string':
      return value !== '';
    default:
  }
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof PySet) return value.items.length > 0;
  if (value instanceof Url) return value.text.replace(/^[a-zA-Z][\w+.-]*:/, '') !== '';
  return !Array.isArray(value) || value.length > 0;
}

/** The items that a `for` goes over. @throws PythonError where the value is not a collection */
export function iterate(value: Value): Iterable<Value> {
  if (isList(value)) return value;
  const text = tryText(value);
  if (text !== undefined) return text;
  if (value instanceof Dict) return value.keys();
  if (value instanceof PySet) return value.items;
  throw typeError(`'${typeName(value)}' object is not iterable`);
}
