import { composeYaml, formatFlow, layoutOf, type YamlNode } from '@delos/flow';
import { describe, expect, test } from 'vitest';
import { CORPUS } from '../../support/flow/corpus.ts';
import { YamlMaker } from '../../support/flow/yaml-texts.ts';
import { runSeed, seeded } from '../../support/random.ts';

/** Values, in whatever order the keys of the top level stand. */
function valuesOf(text: string): unknown {
  const { root, faults } = composeYaml(text);
  if (root === undefined || faults.length > 0) return { faults };
  const plain = (node: YamlNode): unknown =>
    node.kind === 'sequence'
      ? node.items.map(plain)
      : node.kind === 'mapping'
        ? { entries: node.entries.map((pair) => pair.map(plain)) }
        : [typeof node.value, node.typed, node.text];
  if (root.kind !== 'mapping') return plain(root);
  // Of two equal keys the later counts, so that their order counts too.
  const entries = root.entries.map((pair) => pair.map((part) => JSON.stringify(plain(part))) as [string, string]);
  return entries.toSorted(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1));
}
const comments = (text: string): readonly string[] => (text.match(/# (?:note|deeper|a|b|end|c)$/gm) ?? []).toSorted();

describe('the layout', () => {
  const maker = new YamlMaker(seeded(runSeed()));
  const made = Array.from({ length: 800 }, () => maker.whole());
  const corpus = Object.values(CORPUS).flatMap(({ files }) => Object.values(files));
  const readable = (texts: readonly string[]): readonly string[] =>
    texts.filter((text) => composeYaml(text).faults.length === 0 && composeYaml(text).root?.kind === 'mapping');

  test.each([
    ['files of the corpus', corpus],
    ['generated texts', made],
  ])('of %s keeps every value and comment, and is its own layout', (_name, texts) => {
    const good = readable(texts);
    let without = 0;
    for (const [index, text] of good.entries()) {
      const kind = ([undefined, 'batchFlow', 'liveFlow'] as const)[index % 3];
      const layout = layoutOf(text, kind);
      if (layout === undefined) {
        without += 1;
        continue;
      }
      expect(valuesOf(layout), JSON.stringify(text)).toEqual(valuesOf(text));
      expect(layoutOf(layout, kind), JSON.stringify(text)).toBe(layout);
      // Texts hold lines that look like comments: those are values.
      if (!/[|>"']/.test(text)) expect(comments(layout), JSON.stringify(text)).toEqual(comments(text));
      expect(formatFlow(text, kind)).toBe(layout);
    }
    expect(good.length).toBeGreaterThan(texts.length / 3);
    expect(without).toBeLessThan(good.length / 10);
  });

  test('whatever the text, formatting it a second time changes nothing', () => {
    for (let count = 0; count < 800; count += 1) {
      const text = maker.text();
      const formatted = formatFlow(text, 'batchFlow');
      if (formatted === undefined) continue;
      expect(formatFlow(formatted, 'batchFlow'), JSON.stringify(text)).toBe(formatted);
      expect(valuesOf(formatted)).toEqual(valuesOf(text));
    }
  });

  test.each([
    [
      'a comment at the end of a section stays in it',
      'kind: live\nimages:\n  a:\n    ref: x\n    # the last one\nvolumes: {}\n',
      'kind: live\n\nimages:\n  a:\n    ref: x\n    # the last one\n\nvolumes: {}\n',
    ],
    [
      'a comment above a key stays above it',
      'kind: live\nimages: {}\n# of volumes\nvolumes: {}\n',
      'kind: live\n\nimages: {}\n\n# of volumes\nvolumes: {}\n',
    ],
    [
      'a text without a line end keeps none',
      'kind: batch\ntasks:\n- bash: |\n   one',
      'kind: batch\n\ntasks:\n  - bash: |-\n      one\n',
    ],
    [
      'lists are indented, and their items take one blank',
      'kind: batch\ntasks:\n-   id: a\n    needs:\n    - b\n# next\n-   id: c\n',
      'kind: batch\n\ntasks:\n  - id: a\n    needs:\n      - b\n\n  # next\n  - id: c\n',
    ],
    [
      'sections come in order, and the line for editors stays on top',
      '# yaml-language-server: $schema=x\ntasks: []\n# what\nkind: batch\n# end\n',
      '# yaml-language-server: $schema=x\n# what\nkind: batch\n\ntasks: []\n# end\n',
    ],
    [
      'a text of several lines keeps its lines',
      'kind: batch\ntitle: "one\n\n         two"\nid: a\n b\n',
      'kind: batch\nid: a\n  b\ntitle: "one\n\n  two"\n',
    ],
    [
      'blank lines that belong to a text stay',
      'kind: batch\nid: a\ntitle: |+\n    one\n\n\ntasks: []\n',
      'kind: batch\nid: a\ntitle: |+\n  one\n\n\ntasks: []\n',
    ],
    ['line ends of other systems become LF', 'kind: batch\r\ntasks: []\r\n', 'kind: batch\n\ntasks: []\n'],
    ['a file with an explicit key stays as it is', 'kind:  batch\n? tasks\n: []\n', 'kind:  batch\n? tasks\n: []\n'],
  ])('%s', (_name, text, expected) => {
    expect(formatFlow(text, text.startsWith('kind: live') ? 'liveFlow' : 'batchFlow')).toBe(expected);
  });
});
