import type { Value } from '../python/value.ts';
import type { LaterShape } from './later-shape.ts';

/** A root name of an expression at its place: its value, later (`waits`), or nothing of the name. */
export type Looked =
  | { readonly value: Value }
  /** `shape`: what is known of it. */
  | { readonly waits: string; readonly shape?: LaterShape }
  | undefined;

/** The names that an expression may use at its place. */
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

/** An expression that cannot be evaluated. `start` and `end` are offsets in the template. */
export class EvalFault extends Error {
  readonly start: number;
  readonly end: number;
  readonly reason: 'context' | 'attribute' | 'value';
  readonly hint: string | undefined;
  /** For an unknown attribute: the dotted name that it was looked up on, and the attribute. */
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

type Names = ReadonlyMap<string, NonNullable<Looked>>;

/** Names laid over those of another scope. */
export class Layer implements Scope {
  readonly outside: Outside;
  readonly #own: Names;
  readonly #under: Scope | undefined;

  constructor(own: Names, under: Scope | undefined, outside: Outside = under?.outside ?? {}) {
    this.#own = own;
    this.#under = under;
    this.outside = outside;
  }
  lookup(name: string): Looked {
    return this.#own.get(name) ?? this.#under?.lookup(name);
  }
  get names(): readonly string[] {
    return [...new Set([...(this.#under?.names ?? []), ...this.#own.keys()])];
  }
}

/** A scope of the given values alone; names in `later` are waited for. */
export function scopeOf(
  values: Readonly<Record<string, Value>>,
  options: { readonly later?: Iterable<string>; readonly outside?: Outside } = {},
): Scope {
  const names = new Map<string, NonNullable<Looked>>();
  for (const name of options.later ?? []) names.set(name, { waits: name });
  for (const [name, value] of Object.entries(values)) names.set(name, { value });
  return new Layer(names, undefined, options.outside ?? {});
}

/** `scope` with one more name, which hides an equal one. */
export const withVariable = (scope: Scope, name: string, looked: NonNullable<Looked>): Scope =>
  new Layer(new Map([[name, looked]]), scope);
