import type { YamlMapping } from '../yaml/node.ts';

/** A file whose sections of the top level stand in an order. Comments right above a section go with it. */
export function inOrder(text: string, root: YamlMapping, rank: (key: string) => number): string {
  const keys = root.entries.map(([key]) => key);
  const ranks = keys.map((key) => rank(key.kind === 'scalar' ? key.text : ''));
  if (ranks.every((one, index) => index === 0 || one >= (ranks[index - 1] as number))) return text;
  const starts = keys.map(({ start }) => withComments(text, start));
  // Comments at the end of the file stay there.
  const last = Math.max(root.end, text.length - (/(?:\n(?:#[^\n]*)?)*\n$/.exec(text)?.[0].length ?? 1) + 1);
  const chunks = starts.map((start, index) => ({
    rank: ranks[index] as number,
    text: text.slice(start, index + 1 < starts.length ? starts[index + 1] : last),
  }));
  const sorted = chunks.toSorted((a, b) => a.rank - b.rank).map((chunk) => chunk.text);
  return text.slice(0, starts[0]) + sorted.join('') + text.slice(last);
}

/** Where the comments begin that stand right above a line; a line that tells editors the schema stays on top. */
function withComments(text: string, start: number): number {
  let at = start;
  for (;;) {
    const line = text.lastIndexOf('\n', at - 2) + 1;
    if (at === 0 || !/^#(?! yaml-language-server:)/.test(text.slice(line, at))) return at;
    at = line;
  }
}
