import type { Node, Part } from '../../expr/syntax.ts';

/** A type by which arguments of calls are told apart; `other`: none of these, so that an argument becomes text. */
export type CertainType = 'str' | 'int' | 'float' | 'bool' | 'other';

/** The type that a template gives whatever its contexts hold, as far as its form tells. */
export function certainType(parts: readonly Part[]): CertainType | undefined {
  const [part] = parts;
  return parts.length === 1 && part?.kind === 'expression' ? typeOf(part.node) : 'str';
}

const OF_CALL: Readonly<Record<string, CertainType>> = {
  len: 'int',
  int: 'int',
  str: 'str',
  lower: 'str',
  upper: 'str',
  replace: 'str',
  join: 'str',
  fmt: 'str',
  to_json: 'str',
  hash_files: 'str',
  hash_files_relative: 'str',
  success: 'bool',
  failure: 'bool',
  keys: 'other',
  values: 'other',
  range: 'other',
  always: 'other',
  nothing: 'other',
  upload: 'other',
  parse_volume: 'other',
};

function typeOf(node: Node): CertainType | undefined {
  switch (node.kind) {
    case 'literal':
      return OF_LITERAL[typeof node.value] ?? 'other';
    case 'lookup':
      return ofLookup(node);
    case 'call':
      return node.trailer.length === 0 ? OF_CALL[node.name] : undefined;
    case 'unary': {
      if (node.operator === 'not') return 'bool';
      const operand = typeOf(node.operand);
      return operand === 'bool' ? 'int' : operand === 'int' || operand === 'float' ? operand : undefined;
    }
    case 'binary':
      return ofBinary(node);
    case 'choice':
      return same(typeOf(node.consequent), typeOf(node.otherwise));
    case 'list':
    case 'dict':
    case 'comprehension':
      return 'other';
  }
}

const OF_LITERAL: Readonly<Record<string, CertainType>> = {
  string: 'str',
  bigint: 'int',
  number: 'float',
  boolean: 'bool',
};

const same = (a: CertainType | undefined, b: CertainType | undefined): CertainType | undefined =>
  a === b ? a : undefined;

function ofBinary(node: Node & { readonly kind: 'binary' }): CertainType | undefined {
  const { operator } = node;
  if (['==', '!=', '<', '<=', '>', '>='].includes(operator)) return 'bool';
  const [left, right] = [typeOf(node.left), typeOf(node.right)];
  if (operator === 'and' || operator === 'or') return same(left, right);
  if (left === 'str' && (operator === '%' || (operator === '+' && right === 'str'))) return 'str';
  const whole = (type: CertainType | undefined): boolean => type === 'int' || type === 'bool';
  const number = (type: CertainType | undefined): boolean => whole(type) || type === 'float';
  if (!number(left) || !number(right) || operator === '|') return undefined;
  return operator === '/' || !whole(left) || !whole(right) ? 'float' : 'int';
}

/** Outputs, states and parameters are texts; so is a result, which is one of a few. */
function ofLookup({ root, trailer }: Node & { readonly kind: 'lookup' }): CertainType | undefined {
  const last = trailer.at(-1);
  const name = last?.kind === 'attribute' ? last.name : undefined;
  switch (root) {
    case 'needs':
      return trailer.length === 3 || (trailer.length === 2 && name === 'result') ? 'str' : 'other';
    case 'state':
    case 'params':
      return trailer.length === 1 ? 'str' : 'other';
    case 'git':
      return trailer.length === 1 && (name === 'sha' || name === 'branch') ? 'str' : undefined;
    default:
      return undefined;
  }
}
