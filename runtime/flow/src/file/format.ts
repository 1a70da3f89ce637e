import { composeYaml } from '../yaml/compose.ts';
import type { YamlMapping, YamlNode } from '../yaml/node.ts';
import type { FileKind } from './kind.ts';
import { type Apart, hasAliases, laidOut, NoLayout } from './layout.ts';
import { type BlockName, keysOfBlock } from './schema.ts';
import { inOrder } from './sections.ts';

/**
 * A file in the one layout: two blanks of indentation, sections in order, blank lines between sections and tasks,
 * comments kept, nothing folded. Texts stay in the style they have. A file that no layout is known for, such as one with
 * `? ` before a key, stays as it is. Undefined where the file is not YAML.
 */
export function formatFlow(text: string, kind: FileKind | undefined): string | undefined {
  const { root, faults } = composeYaml(text);
  if (root === undefined || faults.length > 0) return undefined;
  const layout = layoutOf(text, kind);
  if (layout === undefined) return text;
  // Two laws hold for every file: its values stay, and a second time nothing changes.
  const again = composeYaml(layout);
  const same = again.faults.length === 0 && again.root !== undefined && meaning(again.root) === meaning(root);
  return same && layoutOf(layout, kind) === layout ? layout : text;
}

/** The layout alone, without a look at what became of the values; undefined where there is none. */
export function layoutOf(given: string, kind: FileKind | undefined): string | undefined {
  const text = given.replace(/\r\n?/g, '\n');
  try {
    const once = arranged(text, kind);
    const root = composeYaml(once).root;
    const isSorted = root?.kind === 'mapping' && kind !== undefined && !hasAliases(once);
    return isSorted ? arranged(inOrder(once, root, rankOf(kind)), kind) : once;
  } catch (error) {
    if (error instanceof NoLayout) return undefined;
    throw error;
  }
}

function arranged(text: string, kind: FileKind | undefined): string {
  const { root } = composeYaml(text);
  if (root?.kind !== 'mapping' || text[root.start] === '{') throw new NoLayout();
  return laidOut(text, kind === undefined ? { keys: new Set(), items: new Set() } : apartIn(root));
}

/** Where sections with an inner part begin, and tasks, but for the first of each. */
function apartIn(root: YamlMapping): Apart {
  const keys = new Set<number>();
  const items = new Set<number>();
  root.entries.forEach(([key, value], index) => {
    if (index > 0 && value.kind !== 'scalar') keys.add(key.start);
  });
  const visit = (node: YamlNode): void => {
    if (node.kind === 'sequence') for (const item of node.items) visit(item);
    if (node.kind !== 'mapping') return;
    for (const [key, value] of node.entries) {
      const isTasks = key.kind === 'scalar' && key.text === 'tasks' && value.kind === 'sequence';
      if (isTasks) for (const item of value.items.slice(1)) if (item.kind === 'mapping') items.add(item.start);
      visit(value);
    }
  };
  visit(root);
  return { keys, items };
}

/** Keys of the top level in the order of the reference; unknown ones last. */
function rankOf(kind: FileKind): (key: string) => number {
  const order = ['kind', ...Object.keys(keysOfBlock(kind as BlockName))];
  return (key) => {
    const at = order.indexOf(key);
    return at === -1 ? order.length : at;
  };
}

/** All values of a file, whatever order its sections have. */
function meaning(root: YamlNode): string {
  if (root.kind !== 'mapping') return form(root);
  const entries = root.entries.map(([key, value], index) => ({ key: form(key), index, pair: form(key) + form(value) }));
  return entries
    .sort((a, b) => (a.key === b.key ? a.index - b.index : a.key < b.key ? -1 : 1))
    .map(({ pair }) => pair)
    .join('\n');
}

function form(node: YamlNode): string {
  if (node.kind === 'sequence') return `[${node.items.map(form).join(',')}]`;
  if (node.kind === 'mapping')
    return `{${node.entries.map(([key, value]) => `${form(key)}:${form(value)}`).join(',')}}`;
  return `${typeof node.value}${node.typed}${JSON.stringify(node.text)}`;
}
