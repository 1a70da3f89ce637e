import type { z } from 'zod';
import { nearest } from '../errors/nearest.ts';
import { keysOf, placesOf, schemasAt } from './schema.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** A schema's refusal in a person's terms. */
export interface Fault {
  readonly kind: 'unknown-key' | 'value';
  readonly path: Path;
  /** Which of the two is wrong: the key itself or what it holds. */
  readonly at: 'key' | 'value';
  readonly message: string;
  readonly hint?: string;
}

/** All faults behind a schema's issues; a union's are those of the member that came nearest. */
export function faultsOf(schema: z.ZodType, issues: readonly Issue[], data: unknown): readonly Fault[] {
  return issues.flatMap((issue) => faultOf(schema, issue, data));
}

function faultOf(schema: z.ZodType, issue: Issue, data: unknown): readonly Fault[] {
  if (issue.code === 'unrecognized_keys') {
    const there = Object.keys(Object(valueAt(data, issue.path)));
    return issue.keys.map((key) => unknownKey(schema, issue.path, key, there));
  }
  if (issue.code === 'invalid_union') {
    const branch = nearestBranch(issue.errors);
    if (branch !== undefined) {
      return branch.flatMap((inner) => faultOf(schema, { ...inner, path: [...issue.path, ...inner.path] }, data));
    }
  }
  const found = valueAt(data, issue.path);
  const required = found === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_union');
  if (required) {
    return [
      {
        kind: 'value',
        path: issue.path,
        at: 'key',
        message: `${nameOf(issue.path)} is missing: expected ${expectedOf(issue)}`,
      },
    ];
  }
  const hint = hintOf(issue, found);
  const at = issue.code === 'custom' && issue.params?.at === 'key' ? 'key' : 'value';
  const message = issue.code === 'custom' ? issue.message : `expected ${expectedOf(issue)}, found ${show(found)}`;
  return [{ kind: 'value', path: issue.path, at, message, ...(hint === undefined ? {} : { hint }) }];
}

function unknownKey(schema: z.ZodType, path: Path, key: string, there: readonly string[]): Fault {
  const keys = keysOf(schemasAt(schema, path));
  // A key that is already there was hardly meant a second time.
  const near =
    nearest(
      key,
      keys.filter((candidate) => !there.includes(candidate)),
    ) ?? nearest(key, keys);
  const elsewhere = near === undefined ? placesOf(schema, key)[0] : undefined;
  const known = keys.length > 12 ? `${keys.slice(0, 12).join(', ')}, …` : keys.join(', ');
  const hint =
    near !== undefined
      ? `did you mean \`${near}\`?`
      : elsewhere !== undefined
        ? `\`${key}\` belongs ${elsewhere === '' ? 'at the top level' : `in \`${elsewhere}\``}`
        : `expected one of: ${known}`;
  return { kind: 'unknown-key', path: [...path, key], at: 'key', message: `unknown key \`${key}\``, hint };
}

/** Of a union's members, the one whose first issue lies deepest; undefined where all are of another type. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (issues: readonly Issue[]): number => Math.min(...issues.map(({ path }) => path.length));
  const deep = [...branches].sort((a, b) => depth(b) - depth(a))[0];
  return deep !== undefined && depth(deep) > 0 ? deep : undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
  email: 'an e-mail address',
  url: 'a URL',
};

function expectedOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return WORDS[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.join(', ')}`;
    case 'invalid_format':
      return issue.message.startsWith('expected ') ? issue.message.slice(9) : (WORDS[issue.format] ?? issue.format);
    case 'too_small':
      return sized(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return sized(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'invalid_union':
      return unionOf(issue.errors);
    default:
      return issue.message.replace(/^expected /, '');
  }
}

const sized = (origin: string, bound: string, size: number | bigint): string => {
  if (origin === 'string')
    return size === 1 && bound === 'at least' ? 'text that is not empty' : `${bound} ${size} characters`;
  return origin === 'array' ? `${bound} ${size} ${size === 1 ? 'entry' : 'entries'}` : `${bound} ${size}`;
};

const unionOf = (branches: readonly (readonly Issue[])[]): string =>
  [...new Set(branches.flatMap((issues) => issues.slice(0, 1).map(expectedOf)))].join(' or ');

function hintOf(issue: Issue, found: unknown): string | undefined {
  if (issue.code === 'invalid_value' && typeof found === 'string') {
    const near = nearest(found, issue.values.map(String));
    return near === undefined ? undefined : `did you mean \`${near}\`?`;
  }
  const isPlain = typeof found === 'number' || typeof found === 'boolean';
  if (issue.code === 'invalid_type' && issue.expected === 'string' && isPlain) {
    return `put it in quotes: "${found}"`;
  }
  return undefined;
}

const nameOf = (path: Path): string => `\`${String(path.at(-1) ?? '')}\``;

/** What stands there, short enough for a line. */
function show(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys and values';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, step) =>
      typeof here === 'object' && here !== null ? (here as Readonly<Record<PropertyKey, unknown>>)[step] : undefined,
    data,
  );
}
