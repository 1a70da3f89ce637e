import { format } from '../python/format.ts';
import { fromJson, toJson } from '../python/json.ts';
import { intOfFloat, intOfText } from '../python/number.ts';
import { bounded, equal, ITEM_SIZE, MAX_SIZE } from '../python/operators.ts';
import { str, textLength } from '../python/text.ts';
import {
  ALWAYS,
  Dict,
  isList,
  iterate,
  Path,
  PySet,
  Struct,
  tryText,
  typeError,
  typeName,
  type Value,
  valueError,
  Waiting,
} from '../python/value.ts';
import type { Scope } from './scope.ts';

type Call = (args: readonly Value[], scope: Scope) => Value;

/** The functions. The number of arguments is checked before. @throws PythonError, Waiting */
export const FUNCTIONS: Readonly<Record<string, Call>> = {
  nothing: () => null,
  len: ([value = null]) => {
    const text = tryText(value);
    if (text !== undefined) return BigInt(textLength(text));
    if (isList(value)) return BigInt(value.length);
    if (value instanceof Dict) return BigInt(value.size);
    if (value instanceof PySet) return BigInt(value.items.length);
    throw typeError(`len() takes a text, list or mapping, not ${typeName(value)}`);
  },
  int: ([value = null]) => {
    if (typeof value === 'bigint') return value;
    if (typeof value === 'boolean') return value ? 1n : 0n;
    if (typeof value === 'number') return intOfFloat(value);
    const text = tryText(value);
    if (text !== undefined) return intOfText(text);
    throw typeError(`int() takes a text or number, not ${typeName(value)}`);
  },
  str: ([value = null]) => str(value),
  lower: ([value = null]) => text('lower', value).toLowerCase(),
  upper: ([value = null]) => text('upper', value).toUpperCase(),
  replace: ([value = null, old = null, fresh = null]) => replaced(value, old, fresh),
  join: ([separator = null, items = null, convert = false]) => joined(separator, items, convert),
  fmt: ([spec = null, ...args]) => format(text('fmt', spec), args),
  keys: ([value = null]) => [...mapping('keys', value).keys()],
  values: ([value = null]) => [...mapping('values', value).values()],
  range: ([first = null, second = null, third = null]) => range(first, second, third),
  to_json: ([value = null]) => toJson(value),
  from_json: ([value = null]) => fromJson(text('from_json', value)),
  always: (_args, scope) => {
    needs(scope, 'always', []);
    return ALWAYS;
  },
  success: (args, scope) => {
    const states = needs(scope, 'success', args);
    const wanted = named('success', args, states);
    return wanted.every((state) => equal(state, 'succeeded'));
  },
  failure: (args, scope) => {
    const states = needs(scope, 'failure', args);
    const wanted = named('failure', args, states);
    return wanted.some((state) => equal(state, 'failed'));
  },
  hash_files: (patterns, scope) => {
    const flow = known(scope, 'flow');
    const workspace =
      flow instanceof Struct ? flow.tryGet('workspace') : flow instanceof Dict ? flow.get('workspace') : null;
    return hashed(workspace ?? null, patterns, scope);
  },
  hash_files_relative: ([root = null, ...patterns], scope) => hashed(root, patterns, scope),
  upload: ([volume = null]) => {
    if (volume instanceof Struct && volume.type === 'VolumeCtx') return volume;
    throw valueError(`upload() takes a volume, not ${typeName(volume)}`);
  },
  parse_volume: ([value = null], scope) => {
    const spec = text('parse_volume', value);
    if (scope.outside.parseVolume === undefined) throw new Waiting('platform');
    return scope.outside.parseVolume(spec);
  },
  inspect_job: ([name = null, suffix = null], scope) => {
    if (scope.outside.jobs !== true) throw valueError('inspect_job() can only be used in jobs of a live flow');
    text('inspect_job', name);
    if (suffix !== null) text('inspect_job', suffix);
    throw new Waiting('jobs');
  },
};

function text(name: string, value: Value): string {
  const found = tryText(value);
  if (found === undefined) throw typeError(`${name}() takes a text, not ${typeName(value)}`);
  return found;
}

function mapping(name: string, value: Value): Dict {
  if (!(value instanceof Dict)) throw typeError(`${name}() takes a mapping, not ${typeName(value)}`);
  return value;
}

function replaced(value: Value, old: Value, fresh: Value): string {
  const [source, from, to] = [text('replace', value), text('replace', old), text('replace', fresh)];
  if (from === '') {
    const characters = [...source];
    bounded(source.length + to.length * (characters.length + 1));
    return to + characters.map((char) => char + to).join('');
  }
  const pieces = source.split(from);
  bounded(source.length + to.length * pieces.length);
  return pieces.join(to);
}

function joined(separator: Value, items: Value, convert: Value): string {
  const between = text('join', separator);
  if (!isList(items) && !(items instanceof Dict) && tryText(items) === undefined) {
    throw typeError(`join() takes a list, text or mapping, not ${typeName(items)}`);
  }
  if (typeof convert !== 'boolean')
    throw typeError(`join() takes True or False as third argument, not ${typeName(convert)}`);
  const texts = [...iterate(items)].map((item, index) => {
    const found = convert ? str(item) : tryText(item);
    if (found === undefined) throw typeError(`join() takes texts; item ${index} is ${typeName(item)}`);
    return found;
  });
  bounded(texts.reduce((sum, { length }) => sum + length + between.length, 0));
  return texts.join(between);
}

/** A second or third argument that counts as false is taken as absent, whatever it is. */
function range(first: Value, second: Value, third: Value): readonly Value[] {
  const start = whole(first);
  if (isAbsent(second)) return counted(0n, start, 1n);
  const stop = whole(second);
  return counted(start, stop, isAbsent(third) ? 1n : whole(third));
}

function isAbsent(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (isList(value)) return value.length === 0;
  if (value instanceof Dict) return value.size === 0;
  return value instanceof PySet && value.items.length === 0;
}

function whole(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  throw typeError(`range() takes whole numbers, not ${typeName(value)}`);
}

function counted(start: bigint, stop: bigint, step: bigint): readonly Value[] {
  const distance = step > 0n ? stop - start : start - stop;
  if (distance <= 0n) return [];
  const stride = step > 0n ? step : -step;
  const count = (distance + stride - 1n) / stride;
  bounded(count > BigInt(MAX_SIZE) ? MAX_SIZE + 1 : ITEM_SIZE * Number(count));
  return Array.from({ length: Number(count) }, (_, index) => start + BigInt(index) * step);
}

function known(scope: Scope, name: string): Value {
  const looked = scope.lookup(name);
  if (looked === undefined) throw valueError(`the \`${name}\` context is not available here`);
  if ('waits' in looked) throw new Waiting(looked.waits);
  return looked.value;
}

/** The `needs` context, or a place outside tasks. */
function needs(scope: Scope, name: string, args: readonly Value[]): Value {
  const looked = scope.lookup('needs');
  if (looked === undefined) throw valueError(`${name}() can only be used in a task`);
  if ('waits' in looked) {
    if (name === 'always') return null;
    const keys = looked.shape?.is === 'mapping' ? looked.shape.keys : undefined;
    if (keys !== undefined) named(name, args, new Dict([...keys].map((id) => [id, dependency])));
    throw new Waiting(looked.waits);
  }
  return looked.value;
}

const dependency = new Struct('DepCtx', { result: '', outputs: null });

function named(name: string, args: readonly Value[], states: Value): readonly Value[] {
  if (!(states instanceof Dict)) throw valueError(`${name}() needs the results of tasks`);
  const result = (dependency: Value): Value => {
    const found = dependency instanceof Struct ? dependency.tryGet('result') : undefined;
    if (found === undefined) throw valueError('a needed task without a result');
    return found;
  };
  const all = [...states.values()].map(result);
  if (args.length === 0) return all;
  return args.map((arg) => {
    if (tryText(arg) === undefined) throw valueError(`${name}() takes ids of tasks as texts`);
    const found = states.get(arg);
    if (found === undefined) throw valueError(`${name}() was given "${str(arg)}", which this task does not need`);
    return result(found);
  });
}

function hashed(root: Value, patterns: readonly Value[], scope: Scope): string {
  if (!(root instanceof Path) || !root.local)
    throw typeError(`hash_files_relative() takes a path, not ${typeName(root)}`);
  const globs = patterns.map((pattern) => text('hash_files', pattern));
  if (scope.outside.hashFiles === undefined) throw new Waiting('files');
  return scope.outside.hashFiles(root.text, globs);
}
