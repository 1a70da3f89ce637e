import { readFully, tryQuick, type YamlNode } from '@delos/runtime';

/** What a node holds and where it stands. */
function form(node: YamlNode): unknown {
  const { kind, start, end } = node;
  if (kind === 'scalar') return [kind, start, end, node.text, node.value, node.typed];
  const parts = kind === 'sequence' ? node.items : node.entries.flat();
  return [kind, start, end, parts.map(form)];
}

/** What the quick reader and the full one make of a text; undefined where the quick one leaves it to the other. */
export function bothForms(text: string): { readonly quick: unknown; readonly slow: unknown } | undefined {
  const quick = tryQuick(text);
  if (quick === undefined) return undefined;
  const { root, faults, duplicates } = readFully(text);
  const slow = root === undefined || faults.length + duplicates.length > 0 ? { faults, duplicates } : form(root);
  return { quick: form(quick), slow };
}
