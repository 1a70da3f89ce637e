/** The text between two tokens: blanks, comments and line ends. */
export interface Gap {
  /** A comment on the line of the token before. */
  readonly trailing: string | undefined;
  readonly lines: readonly GapLine[];
  readonly broken: boolean;
}

/** A comment on a line of its own, or a blank line. */
export interface GapLine {
  readonly comment: string;
  readonly column: number;
}

/** Where a block stood, and where it stands now. */
export interface LevelColumns {
  readonly from: number;
  readonly to: number;
}

export interface GapPlace {
  readonly levels: readonly LevelColumns[];
  /** The token behind the gap. */
  readonly after: LevelColumns;
  readonly inside: boolean;
  /** The line of the token before is not ended yet. */
  readonly open: boolean;
  /** The file begins here, or ends. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
  /** A blank line is wanted before the token behind, and before the comments right above it. */
  readonly apart: boolean;
  /** Blank lines before the first comment belong to the text above. */
  readonly kept: boolean;
}

export function gapOf(source: string, from: number, to: number): Gap {
  const text = source.slice(from, to);
  const lines = text.split('\n');
  const [first = ''] = lines;
  // Behind the text of a block, or at the start of the file, a whole line begins.
  const whole = from === 0 || source[from - 1] === '\n';
  const own = (whole ? lines : lines.slice(1)).slice(0, -1).map((line) => {
    const comment = line.trim();
    return { comment, column: line.length - line.trimStart().length };
  });
  const trailing = !whole && first.trim() !== '' ? first.trim() : undefined;
  const last = lines.at(-1)?.trim() ?? '';
  // A file may end with a comment and no line end.
  const tail =
    last.startsWith('#') && (whole || lines.length > 1)
      ? [{ comment: last, column: (lines.at(-1) as string).indexOf('#') }]
      : [];
  return { trailing, lines: [...own, ...tail], broken: lines.length > 1 || whole || trailing !== undefined };
}

export function laidOutGap({ trailing, lines }: Gap, place: GapPlace): string {
  const { levels, after, inside, open, kept } = place;
  const moved = lines.map(({ comment, column }) => ({
    comment,
    column: inside || column === after.from ? after.to : columnFor(column, levels),
  }));
  const comments = moved.findIndex(({ comment }) => comment !== '');
  const own = kept ? moved.splice(0, comments === -1 ? moved.length : comments) : [];
  const rest = separated(squeezed(moved, place), place);
  const end = `${trailing === undefined ? '' : ` ${trailing}`}${open ? '\n' : ''}`;
  return (
    end +
    [...own, ...rest]
      .map(({ comment, column }) => (comment === '' ? '\n' : `${' '.repeat(column)}${comment}\n`))
      .join('')
  );
}

/** One of several blank lines stays. At the ends of the file none stays. */
function squeezed(lines: readonly GapLine[], { isFirst, isLast }: GapPlace): GapLine[] {
  return lines.filter(({ comment }, index) => {
    if (comment !== '') return true;
    if (isLast && lines.slice(index).every((line) => line.comment === '')) return false;
    return index === 0 ? !isFirst : lines[index - 1]?.comment !== '';
  });
}

function separated(lines: GapLine[], { isFirst, apart, after }: GapPlace): readonly GapLine[] {
  if (!apart || isFirst) return lines;
  let at = lines.length;
  while (at > 0 && lines[at - 1]?.comment !== '' && lines[at - 1]?.column === after.to) at -= 1;
  return lines[at - 1]?.comment === '' ? lines : lines.toSpliced(at, 0, { comment: '', column: 0 });
}

/** A comment goes with the innermost block that begins no further in. */
function columnFor(column: number, levels: readonly LevelColumns[]): number {
  return levels.filter(({ from }) => from <= column).reduce((most, { to }) => Math.max(most, to), 0);
}
