import type { Value } from '../python/value.ts';

/** A root name of an expression at its place: its value, later (`waits`), or nothing of the name. */
export type Looked =
  | { readonly value: Value }
  /** `keys`: all that it will have. */
  | { readonly waits: string; readonly keys?: ReadonlySet<string> }
  | undefined;

/** What an expression may use where it stands. */
export interface Scope {
  /** Root names: contexts and the variables of comprehensions. */
  lookup(name: string): Looked;
  /** Names that `lookup` knows, for the nearest one of a mistaken name. */
  readonly names: readonly string[];
  readonly outside: Outside;
}

/** The little that functions take from outside the expression. Each may be missing: then the expression waits for it. */
export interface Outside {
  /** SHA-256 in hex over the files below `root` that match each pattern in turn. */
  readonly hashFiles?: (root: string, patterns: readonly string[]) => string;
  /** The volume of `storage:path:/mount[:ro|rw]`. @throws PythonError */
  readonly parseVolume?: (text: string) => Value;
  /** Whether running jobs of a live flow can be asked for. */
  readonly jobs?: boolean;
}

/** A context or a function's source that is not there yet. */
export class Waiting extends Error {
  readonly waits: string;
  constructor(waits: string) {
    super(`waits for ${waits}`);
    this.waits = waits;
  }
}

/** An expression that cannot be evaluated. `start` and `end` are offsets in the template. */
export class EvalFault extends Error {
  readonly start: number;
  readonly end: number;
  readonly reason: 'context' | 'attribute' | 'value';
  readonly hint: string | undefined;
  /** Of an unknown attribute: dotted name of what it was looked up on, and the attribute. */
  readonly missing: { readonly of: string; readonly name: string } | undefined;
  constructor(
    message: string,
    span: { readonly start: number; readonly end: number },
    options: {
      readonly reason?: EvalFault['reason'];
      readonly hint?: string | undefined;
      readonly missing?: { readonly of: string; readonly name: string };
    } = {},
  ) {
    super(message);
    this.start = span.start;
    this.end = span.end;
    this.reason = options.reason ?? 'value';
    this.hint = options.hint;
    this.missing = options.missing;
  }
}

/** A scope of the given values alone; names in `later` are waited for. */
export function scopeOf(
  values: Readonly<Record<string, Value>>,
  options: {
    readonly later?: Iterable<string>;
    readonly keys?: Readonly<Record<string, ReadonlySet<string>>>;
    readonly outside?: Outside;
  } = {},
): Scope {
  const later = new Set(options.later);
  return {
    lookup: (name) => {
      if (Object.hasOwn(values, name)) return { value: values[name] as Value };
      if (!later.has(name)) return undefined;
      const keys = options.keys?.[name];
      return keys === undefined ? { waits: name } : { waits: name, keys };
    },
    names: [...Object.keys(values), ...later],
    outside: options.outside ?? {},
  };
}

/** `scope` with one more name, which hides an equal one. */
export function withVariable(scope: Scope, name: string, looked: Looked): Scope {
  return {
    lookup: (wanted) => (wanted === name ? looked : scope.lookup(wanted)),
    names: [...scope.names, name],
    outside: scope.outside,
  };
}
