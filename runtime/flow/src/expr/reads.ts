import type { Getter, Node, Part } from './syntax.ts';

/** Contexts that functions read besides those that an expression names. */
const READ_BY: Readonly<Record<string, string>> = {
  success: 'needs',
  failure: 'needs',
  always: 'needs',
  hash_files: 'flow',
  inspect_job: 'jobs',
};

/** Every context that a template reads, in dead branches too. */
export function namesRead(parts: readonly Part[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const part of parts) if (part.kind === 'expression') collect(part.node, NONE, names);
  return names;
}
const NONE: ReadonlySet<string> = new Set();

function collect(node: Node, local: ReadonlySet<string>, into: Set<string>): void {
  if (node.kind === 'lookup' && !local.has(node.root)) into.add(node.root);
  if (node.kind === 'call') {
    const read = READ_BY[node.name];
    if (read !== undefined) into.add(read);
  }
  if (node.kind === 'comprehension') {
    collect(node.source, local, into);
    const inner = new Set([...local, node.variable]);
    collect(node.item, inner, into);
    if (node.condition !== undefined) collect(node.condition, inner, into);
    return;
  }
  for (const child of childrenOf(node)) collect(child, local, into);
}

/** Direct sub-expressions, in the order in which they stand. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'literal':
      return [];
    case 'lookup':
      return keysOf(node.trailer);
    case 'call':
      return [...node.args, ...keysOf(node.trailer)];
    case 'binary':
      return [node.left, node.right];
    case 'unary':
      return [node.operand];
    case 'list':
      return node.items;
    case 'dict':
      return node.items.flat();
    case 'choice':
      return [node.consequent, node.condition, node.otherwise];
    case 'comprehension':
      return [node.item, node.source, ...(node.condition === undefined ? [] : [node.condition])];
  }
}

const keysOf = (trailer: readonly Getter[]): readonly Node[] =>
  trailer.flatMap((getter) => (getter.kind === 'item' ? [getter.key] : []));
