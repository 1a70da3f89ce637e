import { isMap, isPair, isScalar, isSeq, type Pair, parseDocument, visit } from 'yaml';
import { composeYaml } from '../yaml/compose.ts';
import type { FileKind } from './kind.ts';
import { type BlockName, keysOfBlock } from './schema.ts';

/**
 * A file in the one layout: two blanks of indentation, blank lines between sections and tasks, comments kept, nothing
 * folded. Texts stay in the style they have, so that no value changes its type. Undefined where the file is not YAML.
 */
export function formatFlow(text: string, kind: FileKind | undefined): string | undefined {
  const { root: readable, faults } = composeYaml(text);
  if (readable === undefined || faults.length > 0) return undefined;
  const document = parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const root: unknown = document.contents;
  // An alias follows its anchor: where there are some, sections stay where they are.
  let aliased = false;
  visit(document, {
    Alias: () => {
      aliased = true;
    },
  });
  if (isMap(root) && kind !== undefined) {
    if (!aliased) root.items = sorted(root.items as Pairs, kind);
    for (const [index, pair] of (root.items as Pairs).entries()) if (index > 0) spaced(pair);
    visit(document, {
      Pair: (_, pair) => {
        const isTasks = isScalar(pair.key) && pair.key.value === 'tasks';
        if (isTasks && isSeq(pair.value)) {
          for (const [index, item] of pair.value.items.entries()) if (index > 0 && isMap(item)) item.spaceBefore = true;
        }
      },
    });
  }
  return document.toString({
    lineWidth: 0,
    indent: 2,
    indentSeq: true,
    flowCollectionPadding: false,
    directives: null,
  });
}

type Pairs = Pair[];

/** Keys of the top level in the order of the reference; unknown ones last. */
function sorted(pairs: Pairs, kind: FileKind): Pairs {
  const order = ['kind', ...Object.keys(keysOfBlock(kind as BlockName))];
  const rank = (pair: Pairs[number]): number => {
    const at = isScalar(pair.key) ? order.indexOf(String(pair.key.value)) : -1;
    return at === -1 ? order.length : at;
  };
  return pairs.toSorted((a, b) => rank(a) - rank(b));
}

function spaced(pair: Pairs[number]): void {
  if (isPair(pair) && isScalar(pair.key) && (isMap(pair.value) || isSeq(pair.value))) pair.key.spaceBefore = true;
}
