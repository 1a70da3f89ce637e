import type { Style } from '../yaml/token.ts';

/** A plain or quoted text: its lines but the first are indented, which means nothing to YAML. */
export function laidOutLines(source: string, column: number, style: Style): string {
  const lines = source.split('\n');
  if (lines.length === 1) return source;
  return lines
    .map((line, index) => {
      const first = index === 0;
      const last = index === lines.length - 1;
      const left = first ? line : line.replace(/^[ \t]+/, '');
      // Blanks at the end of a line mean nothing, but behind a backslash that quotes the first of them.
      const right = last || (style === '"' && /\\[ \t]*$/.test(left)) ? left : left.replace(/[ \t]+$/, '');
      return first || right === '' ? right : ' '.repeat(column) + right;
    })
    .join('\n');
}

/**
 * A text below `|` or `>`, moved as a whole. `from` and `to`: the indentation of the block around it, before and now.
 * A text that ends with the file, without a line end, gets `-`, which says the same.
 */
export function laidOutBlockText(source: string, text: string, from: number, to: number, step: number): string {
  const [head = '', ...lines] = source.replace(/\n$/, '').split('\n');
  const [, sign = '', comment = ''] = /^(\S+) *(.*)$/.exec(head) ?? [];
  const digit = Number(/[0-9]/.exec(sign)?.[0] ?? 0);
  const first = lines.find((line) => line.trim() !== '') ?? '';
  const own = digit > 0 ? from + digit : first.search(/[^ ]/);
  const column = to + (digit > 0 ? digit : step);
  const cut = text !== '' && !text.endsWith('\n') && !sign.includes('-');
  const header = `${cut ? `${sign.replace('+', '')}-` : sign}${comment === '' ? '' : ` ${comment.trimEnd()}`}`;
  const moved = lines.map((line) =>
    line.length <= own && line.trim() === '' ? '' : ' '.repeat(column) + line.slice(own),
  );
  return [header, ...moved].map((line) => `${line}\n`).join('');
}
