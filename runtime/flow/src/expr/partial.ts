import { str } from '../python/text.ts';
import { truthy, type Value, Waiting } from '../python/value.ts';
import { evaluate } from './evaluate.ts';
import { printNode, tryLiteral } from './print.ts';
import { namesRead } from './reads.ts';
import { EvalFault, type Scope, withVariable } from './scope.ts';
import type { Getter, Node, Part } from './syntax.ts';

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
  return { parts: reduced, waits: [...namesRead(reduced)].sort() };
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

/** A branch that may never be evaluated must not fail. */
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
