import { composeSlowly, tryQuick, type YamlNode } from '@delos/flow';

/** What a node holds and where it stands. Where a block ends is left out: the library counts line ends in, or not. */
function form(node: YamlNode, text: string): unknown {
  const { kind, start } = node;
  const end = '|>'.includes(text[start] ?? ' ') ? undefined : node.end;
  if (kind === 'scalar') return [kind, start, end, node.text, node.value, node.typed];
  const closed = '[{'.includes(text[start] ?? ' ') ? end : undefined;
  const parts = kind === 'sequence' ? node.items : node.entries.flat();
  return [kind, start, closed, parts.map((part) => form(part, text))];
}

/** What the quick reader and the library make of a text; undefined where the quick one leaves it to the library. */
export function bothForms(text: string): { readonly quick: unknown; readonly slow: unknown } | undefined {
  const quick = tryQuick(text);
  if (quick === undefined) return undefined;
  const { root, faults, duplicates } = composeSlowly(text);
  const slow = root === undefined || faults.length + duplicates.length > 0 ? { faults, duplicates } : form(root, text);
  return { quick: form(quick, text), slow };
}
