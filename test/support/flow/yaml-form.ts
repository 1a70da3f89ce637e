import { readFully, tryQuick, type YamlNode } from '@delos/flow';

/** The content and the place of a node. */
function form(node: YamlNode): unknown {
  const { kind, start, end } = node;
  if (kind === 'scalar') return [kind, start, end, node.text, node.value, node.typed];
  const parts = kind === 'sequence' ? node.items : node.entries.flat();
  return [kind, start, end, parts.map(form)];
}

/** A text as both readers read it; undefined where the quick reader leaves it to the full one. */
export function bothForms(text: string): { readonly quick: unknown; readonly slow: unknown } | undefined {
  const quick = tryQuick(text);
  if (quick === undefined) return undefined;
  const { root, faults, duplicates } = readFully(text);
  const slow = root === undefined || faults.length + duplicates.length > 0 ? { faults, duplicates } : form(root);
  return { quick: form(quick), slow };
}
