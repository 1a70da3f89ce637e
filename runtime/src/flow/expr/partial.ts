import { str } from '../python/text.ts';
import { truthy, type Value } from '../python/value.ts';
import { evaluate } from './evaluate.ts';
import { printNode, tryLiteral } from './print.ts';
import { EvalFault, type Scope, Waiting, withVariable } from './scope.ts';
import type { Getter, Node, Part } from './syntax.ts';

/** Contexts that functions read besides those that an expression names. */
const READ_BY: Readonly<Record<string, string>> = {
  success: 'needs',
  failure: 'needs',
  always: 'needs',
  hash_files: 'flow',
  inspect_job: 'jobs',
};

/** A template that cannot be evaluated yet, with all that is known put in. */
export interface Rest {
  readonly parts: readonly Part[];
  /** Contexts with which it can. */
  readonly waits: readonly string[];
}

/** @throws EvalFault where it fails whatever comes later */
export function restOf(parts: readonly Part[], scope: Scope): Rest {
  const reduced = parts.map((part): Part => {
    if (part.kind === 'text') return part;
    const text = parts.length > 1 ? tryText(part.node, scope) : undefined;
    return text === undefined
      ? { ...part, node: reduce(part.node, scope) }
      : { kind: 'text', text, start: part.start, end: part.end };
  });
  const waits = new Set<string>();
  for (const part of reduced) if (part.kind === 'expression') collect(part.node, new Set(), waits);
  return { parts: reduced, waits: [...waits].sort() };
}

/** The text of a template from its parts, each expression through `wrap`. */
export function templateText(
  parts: readonly Part[],
  wrap: (text: string, node: Node) => string = (text) => text,
): string {
  return parts
    .map((part) => {
      if (part.kind === 'expression') return `\${{ ${wrap(printNode(part.node), part.node)} }}`;
      return /\$\{\{|\$\[\[/.test(part.text) ? `\${{ ${tryLiteral(part.text)} }}` : part.text;
    })
    .join('');
}

/** Beside other text, a known value is its text, whatever it is. */
function tryText(node: Node, scope: Scope): string | undefined {
  try {
    return str(evaluate(node, scope));
  } catch (error) {
    if (error instanceof Waiting) return undefined;
    throw error;
  }
}

function reduce(node: Node, scope: Scope): Node {
  try {
    const known = literal(node, evaluate(node, scope));
    if (known !== undefined) return known;
    return node;
  } catch (error) {
    if (!(error instanceof Waiting)) throw error;
  }
  const inner = (child: Node): Node => reduce(child, scope);
  switch (node.kind) {
    case 'lookup':
      return { ...node, trailer: getters(node.trailer, inner) };
    case 'call':
      return { ...node, args: node.args.map(inner), trailer: getters(node.trailer, inner) };
    case 'binary':
      return { ...node, left: inner(node.left), right: inner(node.right) };
    case 'unary':
      return { ...node, operand: inner(node.operand) };
    case 'list':
      return { ...node, items: node.items.map(inner) };
    case 'dict':
      return { ...node, items: node.items.map(([key, value]) => [inner(key), inner(value)] as const) };
    case 'choice':
      return choice(node, scope);
    case 'comprehension': {
      const within = withVariable(scope, node.variable, { waits: '' });
      const source = inner(node.source);
      const item = lenient(node.item, within);
      return {
        ...node,
        source,
        item,
        ...(node.condition === undefined ? {} : { condition: lenient(node.condition, within) }),
      };
    }
    default:
      return node;
  }
}

function choice(node: Node & { readonly kind: 'choice' }, scope: Scope): Node {
  let taken: boolean | undefined;
  try {
    taken = truthy(evaluate(node.condition, scope));
  } catch (error) {
    if (!(error instanceof Waiting)) throw error;
  }
  if (taken !== undefined) return reduce(taken ? node.consequent : node.otherwise, scope);
  return {
    ...node,
    consequent: lenient(node.consequent, scope),
    condition: reduce(node.condition, scope),
    otherwise: lenient(node.otherwise, scope),
  };
}

/** What may never be evaluated may not fail either. */
function lenient(node: Node, scope: Scope): Node {
  try {
    return reduce(node, scope);
  } catch (error) {
    if (error instanceof EvalFault) return node;
    throw error;
  }
}

const getters = (trailer: readonly Getter[], inner: (node: Node) => Node): readonly Getter[] =>
  trailer.map((getter) => (getter.kind === 'item' ? { ...getter, key: inner(getter.key) } : getter));

function literal(node: Node, value: Value): Node | undefined {
  return tryLiteral(value) === undefined ? undefined : { kind: 'literal', value, start: node.start, end: node.end };
}

function collect(node: Node, local: ReadonlySet<string>, into: Set<string>): void {
  const each = (children: readonly Node[]): void => {
    for (const child of children) collect(child, local, into);
  };
  const keys = (trailer: readonly Getter[]): void =>
    each(trailer.flatMap((getter) => (getter.kind === 'item' ? [getter.key] : [])));
  switch (node.kind) {
    case 'lookup':
      if (!local.has(node.root)) into.add(node.root);
      keys(node.trailer);
      return;
    case 'call': {
      const read = READ_BY[node.name];
      if (read !== undefined) into.add(read);
      each(node.args);
      keys(node.trailer);
      return;
    }
    case 'binary':
      each([node.left, node.right]);
      return;
    case 'unary':
      each([node.operand]);
      return;
    case 'list':
      each(node.items);
      return;
    case 'dict':
      for (const pair of node.items) each(pair);
      return;
    case 'choice':
      each([node.consequent, node.condition, node.otherwise]);
      return;
    case 'comprehension': {
      each([node.source]);
      const inner = new Set([...local, node.variable]);
      collect(node.item, inner, into);
      if (node.condition !== undefined) collect(node.condition, inner, into);
      return;
    }
    default:
  }
}
