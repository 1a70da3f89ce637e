/** Pieces that the readers of YAML differ on, or that end, open and join things. */
const PIECES = [
  '\t',
  '\t# list',
  ' \t',
  '\n\t',
  '\r',
  '\r\n',
  '\x85',
  '\u2028',
  '\u2029',
  '\ufeff',
  '\xa0',
  '😀',
  '# comment',
  ' # comment',
  '#x',
  '"',
  "'",
  "''",
  '\\',
  '\\n',
  '\\\n',
  '\\ ',
  '\\x41',
  '\\q',
  ': ',
  ':',
  ' :',
  ':\n',
  '- ',
  '-',
  ' - ',
  '? ',
  '?',
  ', ',
  ',',
  '[',
  ']',
  '{',
  '}',
  '[]',
  '{}',
  '&a ',
  '*a',
  '*a ',
  '&b\n',
  '! ',
  '!!str ',
  '!!int ',
  '!<tag:yaml.org,2002:str> ',
  '|',
  '|-\n',
  '|+\n',
  '|2\n',
  '>-\n',
  '>\n',
  '|\n\n',
  '%',
  '%YAML 1.1\n---\n',
  '%TAG !e! tag:yaml.org,2002:\n---\n',
  '@',
  '`',
  '---\n',
  '--- ',
  '...\n',
  '\n---\n',
  '\n',
  '\n\n',
  '\n  ',
  '\n    ',
  '\n      ',
  ' ',
  '  ',
  '    ',
  '<<: *a',
  '=',
  '~',
  'null',
  '0x',
  '1:30',
  '2020-02-30',
  'a: b',
  'kind: live',
  'x'.repeat(1030),
];

/** A text changed at one place: something put in, cut out, or indented otherwise. */
export function twisted(text: string, random: () => number): string {
  const below = (limit: number): number => Math.floor(random() * limit);
  const piece = (): string => PIECES[below(PIECES.length)] as string;
  const at = below(text.length + 1);
  switch (below(7)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1 + below(4));
    case 1:
      return text.replace(/\n$/, '');
    case 2: {
      const lines = text.split('\n');
      const line = below(lines.length);
      lines[line] = ' '.repeat(below(7)) + (lines[line] ?? '').trimStart();
      return lines.join('\n');
    }
    case 3: {
      const ends = [...text.matchAll(/\n/g)].map(({ index }) => index);
      const end = ends[below(ends.length)] ?? text.length;
      return text.slice(0, end) + piece() + text.slice(end);
    }
    case 4: {
      // A text goes on in the next line, at any column.
      const blanks = [...text.matchAll(/(?<=\S) (?=\S)/g)].map(({ index }) => index);
      const blank = blanks[below(blanks.length)] ?? text.length;
      return `${text.slice(0, blank)}\n${' '.repeat(below(8))}${text.slice(blank + 1)}`;
    }
    default:
      return text.slice(0, at) + piece() + text.slice(at);
  }
}
