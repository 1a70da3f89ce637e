import { nearest } from '@delos/core';
import { binary, ITEM_SIZE, MAX_SIZE, signed } from '../python/operators.ts';
import { repr, str } from '../python/text.ts';
import {
  Dict,
  isList,
  iterate,
  Later,
  PySet,
  PythonError,
  Status,
  Struct,
  truthy,
  tryText,
  typeName,
  type Value,
  Waiting,
} from '../python/value.ts';
import { FUNCTIONS } from './functions.ts';
import type { LaterShape } from './later-shape.ts';
import { EvalFault, type Scope, withVariable } from './scope.ts';
import type { Getter, Node } from './syntax.ts';

/** Steps of one evaluation: nested comprehensions could otherwise run for hours on a few characters. */
const MAX_STEPS = 500_000;
let steps = 0;
/** Characters that the operations of this evaluation have made: many values fill the memory as one does. */
let made = 0;

/**
 * The value of an expression. Both sides of `and` and `or` are always evaluated, of `if … else` only the branch taken.
 * @throws EvalFault where it has none, Waiting where it needs what comes later
 */
export function evaluate(node: Node, scope: Scope): Value {
  steps = 0;
  made = 0;
  return value(node, scope);
}

function value(node: Node, scope: Scope): Value {
  steps += 1;
  if (steps > MAX_STEPS) throw new EvalFault(`takes more than ${MAX_STEPS} steps`, node);
  switch (node.kind) {
    case 'literal':
      return node.value;
    case 'lookup':
      return walk(root(node, scope), node.root, node.trailer, scope);
    case 'call': {
      const args = node.args.map((arg) => value(arg, scope));
      const result = weighed(
        node,
        guarded(node, () => call(node.name, args, scope)),
      );
      return walk(result, `${node.name}()`, node.trailer, scope);
    }
    case 'binary': {
      const left = value(node.left, scope);
      const right = value(node.right, scope);
      const { operator } = node;
      if (operator === 'and') return truthy(left) ? right : left;
      if (operator === 'or') return truthy(left) ? left : right;
      return weighed(
        node,
        guarded(node, () => binary(operator, left, right)),
      );
    }
    case 'unary': {
      const operand = value(node.operand, scope);
      const { operator } = node;
      return operator === 'not' ? !truthy(operand) : guarded(node, () => signed(operator, operand));
    }
    case 'list':
      return node.items.map((item) => value(item, scope));
    case 'dict': {
      const result = new Dict();
      for (const [key, item] of node.items) {
        const k = value(key, scope);
        const v = value(item, scope);
        guarded(key, () => result.set(k, v));
      }
      return result;
    }
    case 'choice':
      return value(truthy(value(node.condition, scope)) ? node.consequent : node.otherwise, scope);
    case 'comprehension': {
      const source = value(node.source, scope);
      const result: Value[] = [];
      const variable: { value: Value } = { value: null };
      const inner = withVariable(scope, node.variable, variable);
      for (const item of guarded(node.source, () => iterate(source))) {
        if (item instanceof Later) throw new Waiting(item.waits);
        variable.value = item;
        if (node.condition !== undefined && !truthy(value(node.condition, inner))) continue;
        result.push(value(node.item, inner));
      }
      return result;
    }
  }
}

function weighed(node: Node, result: Value): Value {
  if (typeof result === 'string') made += result.length;
  else if (isList(result)) made += ITEM_SIZE * result.length;
  else if (result instanceof Dict) made += ITEM_SIZE * result.size;
  if (made > MAX_SIZE) throw new EvalFault(`makes more than ${MAX_SIZE} characters in all`, node);
  return result;
}

function call(name: string, args: readonly Value[], scope: Scope): Value {
  const implementation = FUNCTIONS[name];
  for (const arg of args) awaitParts(arg);
  if (implementation === undefined) throw new PythonError('ValueError', `there is no function ${name}`);
  return implementation(args, scope);
}

/** A collection with entries that are not known yet is not known as a whole. */
function awaitParts(value: Value): void {
  if (!(value instanceof Dict || value instanceof Struct)) return;
  const parts = value instanceof Dict ? value.values() : Object.values(value.fields);
  for (const part of parts) if (part instanceof Later) throw new Waiting(part.waits);
}

function guarded<T>(node: { readonly start: number; readonly end: number }, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof PythonError) throw new EvalFault(error.message, node);
    throw error;
  }
}

function root(node: Node & { readonly kind: 'lookup' }, scope: Scope): Value {
  const looked = scope.lookup(node.root);
  if (looked === undefined) {
    const near = nearest(node.root, scope.names);
    const span = { start: node.start, end: node.start + node.root.length };
    throw new EvalFault(`there is no \`${node.root}\` here`, span, {
      reason: 'context',
      hint: near === undefined ? `there are: ${[...scope.names].sort().join(', ')}` : `did you mean \`${near}\`?`,
    });
  }
  if ('waits' in looked) {
    checkLater(looked.shape, node.root, node.trailer, scope);
    throw new Waiting(looked.waits);
  }
  return looked.value;
}

/** Reports a part that a later value will not have, so that nobody waits for it. */
function checkLater(shape: LaterShape | undefined, name: string, trailer: readonly Getter[], scope: Scope): void {
  let here = shape;
  let path = name;
  for (const getter of trailer) {
    if (here === undefined) return;
    const key = getter.kind === 'attribute' ? getter.name : tryText(value(getter.key, scope));
    here = stepLater(here, getter, key, path);
    path += getter.kind === 'attribute' ? `.${getter.name}` : `[${key ?? '…'}]`;
  }
}

function stepLater(shape: LaterShape, getter: Getter, key: string | undefined, path: string): LaterShape | undefined {
  const lacks = (names: readonly string[], name: string): EvalFault =>
    missing(new Dict(names.map((known) => [known, null])), getter, path, name);
  switch (shape.is) {
    case 'one':
      if (getter.kind === 'item') return undefined;
      throw new EvalFault(`\`${path}\` is one value, which has no \`.${getter.name}\``, getter, {
        reason: 'attribute',
      });
    case 'object':
      if (getter.kind === 'item')
        throw new EvalFault(`\`${path}\` takes no \`[ ]\``, getter, {
          reason: 'attribute',
          hint: 'write a point and a name',
        });
      if (Object.hasOwn(shape.fields, getter.name)) return shape.fields[getter.name];
      throw lacks(Object.keys(shape.fields), getter.name);
    case 'mapping':
      if (key === undefined || shape.keys?.has(key) !== false) return shape.of;
      throw lacks([...shape.keys], key);
  }
}

function walk(start: Value, name: string, trailer: readonly Getter[], scope: Scope): Value {
  let here = start;
  let path = name;
  for (const [index, getter] of trailer.entries()) {
    if (getter.kind === 'attribute') {
      here = attribute(here, getter, path);
      path += `.${getter.name}`;
    } else {
      const key = value(getter.key, scope);
      here = item(here, key, getter, path);
      path += `[${tryText(key) ?? '…'}]`;
    }
    if (here instanceof Later) {
      checkLater(here.shape, path, trailer.slice(index + 1), scope);
      throw new Waiting(here.waits);
    }
  }
  return here;
}

function attribute(of: Value, getter: Getter & { readonly kind: 'attribute' }, path: string): Value {
  if (!(of instanceof Struct) && !(of instanceof Dict)) {
    throw new EvalFault(`\`${path}\` is ${typeName(of)}, which has no \`.${getter.name}\``, getter, {
      reason: 'attribute',
    });
  }
  const found = guarded(getter, () => (of instanceof Struct ? of.tryGet(getter.name) : of.get(getter.name)));
  if (found !== undefined) return found;
  throw missing(of, getter, path, getter.name);
}

function missing(of: Struct | Dict, span: Getter, path: string, name: string): EvalFault {
  const names =
    of instanceof Struct
      ? [...Object.keys(of.fields), ...Object.keys(of.properties)]
      : [...of.keys()].flatMap((key) => tryText(key) ?? []);
  const near = nearest(name, names) ?? longer(name, names);
  const listed =
    names.length === 0
      ? `\`${path}\` is empty`
      : `there are: ${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''}`;
  return new EvalFault(`\`${path}\` has no \`${name}\``, span, {
    reason: 'attribute',
    hint: near === undefined ? listed : `did you mean \`${near}\`?`,
    missing: { of: path, name },
  });
}

/** The one name that begins with the word, or with which the word begins. */
export function longer(word: string, names: readonly string[]): string | undefined {
  if (word.length < 3) return undefined;
  const near = names.filter((name) => name.startsWith(word) || (name.length >= 3 && word.startsWith(name)));
  return near.length === 1 ? near[0] : undefined;
}

function item(of: Value, key: Value, getter: Getter, path: string): Value {
  if (of instanceof Dict) {
    const found = guarded(getter, () => of.get(key));
    if (found !== undefined) return found;
    const name = tryText(key);
    if (name !== undefined) throw missing(of, getter, path, name);
    throw new EvalFault(`\`${path}\` has no key ${repr(key)}`, getter, { reason: 'attribute' });
  }
  const characters = of instanceof Status ? of.value : of;
  const list = typeof characters === 'string' ? [...characters] : characters;
  if (!isList(list) || of instanceof PySet) {
    throw new EvalFault(`\`${path}\` is ${typeName(of)}, which takes no \`[ ]\``, getter, { reason: 'attribute' });
  }
  const index = typeof key === 'boolean' ? BigInt(key) : key;
  if (typeof index !== 'bigint') {
    throw new EvalFault(
      `\`${path}\` is ${typeName(of)}: its index is a whole number, not ${str(typeName(key))}`,
      getter,
    );
  }
  const found = list[Number(index < 0n ? index + BigInt(list.length) : index)];
  if (found === undefined) throw new EvalFault(`\`${path}\` has ${list.length} items, none at ${index}`, getter);
  return found;
}
