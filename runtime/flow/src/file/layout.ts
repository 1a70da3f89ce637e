import { Scanner } from '../yaml/scanner.ts';
import type { Token } from '../yaml/token.ts';
import { type Gap, gapOf, type LevelColumns, laidOutGap } from './layout-gap.ts';
import { laidOutBlockText, laidOutLines } from './layout-text.ts';

/** Two blanks a level. */
const STEP = 2;

/** A block that is open: where it stood, and where it stands now. */
interface Level extends LevelColumns {
  readonly kind: 'mapping' | 'sequence';
  /** A list with no more indentation than its key: it has no tokens of its own. */
  readonly bare: boolean;
}

/** Where a blank line is wanted before: keys, and items of lists by the start of what they hold. */
export interface Apart {
  readonly keys: ReadonlySet<number>;
  readonly items: ReadonlySet<number>;
}

/** No layout is known for directives, marks of documents, keys with `?`, and line ends of other alphabets. */
export class NoLayout extends Error {}

/** A text of YAML with its blanks in order. @throws NoLayout */
export function laidOut(text: string, apart: Apart): string {
  if (/[\x85\u2028\u2029\ufeff]/.test(text)) throw new NoLayout();
  return new Layout(text, apart).text();
}

class Layout {
  readonly #source: string;
  readonly #apart: Apart;
  readonly #tokens: readonly Token[];
  #out = '';
  #levels: Level[] = [];
  /** Blocks that were open at the token before. */
  #before: readonly Level[] = [];
  /** Brackets that are open. */
  #inside = 0;
  #last: Token | undefined;

  constructor(source: string, apart: Apart) {
    this.#source = source;
    this.#apart = apart;
    this.#tokens = tokensOf(source);
  }

  text(): string {
    this.#tokens.forEach((token, index) => {
      if (token.start === token.end && token.type !== 'end') this.#structure(token);
      else this.#write(token, index);
    });
    return this.#out;
  }

  /** Tokens without signs: blocks that begin and end, and keys. */
  #structure({ type, column }: Token): void {
    const top = this.#levels.at(-1);
    if (this.#inside > 0) return;
    if (type === 'mapping' || type === 'sequence')
      this.#levels.push({ kind: type, bare: false, from: column, to: this.#inner });
    else if (top?.bare === true) this.#levels.pop();
    if (type === 'block end') this.#levels.pop();
  }

  /** Where a block within the last one begins. */
  get #inner(): number {
    const top = this.#levels.at(-1);
    return top === undefined ? 0 : top.to + STEP;
  }

  #write(token: Token, index: number): void {
    this.#refuse(token);
    if (token.type === '-' && this.#levels.at(-1)?.kind === 'mapping' && this.#inside === 0)
      this.#levels.push({ kind: 'sequence', bare: true, from: token.column, to: this.#inner });
    if (token.type === ']' || token.type === '}') this.#inside -= 1;
    const gap = gapOf(this.#source, this.#last?.end ?? 0, token.start);
    const column = this.#columnOf(token, index);
    const last = this.#last;
    if (last === undefined || gap.broken || isBlockText(last) || token.type === 'end')
      this.#newLine(gap, token, column, index);
    else this.#out += between(last, token);
    this.#out += this.#content(token);
    if (token.type === '[' || token.type === '{') this.#inside += 1;
    this.#last = token;
    this.#before = [...this.#levels];
  }

  #refuse({ type, start, end }: Token): void {
    const isKey = type === 'key' && end > start && this.#inside === 0;
    if (isKey || type === 'directive' || type === '---' || type === '...') throw new NoLayout();
  }

  #newLine(gap: Gap, token: Token, column: number, index: number): void {
    const last = this.#last;
    const isEnd = token.type === 'end';
    // Blank lines below such a text belong to it.
    const kept = last !== undefined && isBlockText(last) && /^.[0-9]?\+/.test(this.#source.slice(last.start, last.end));
    this.#out += laidOutGap(gap, {
      levels: [...this.#before, ...this.#levels],
      after: isEnd ? { from: 0, to: 0 } : { from: token.column, to: column },
      inside: this.#inside > 0 || token.type === ']' || token.type === '}',
      open: last !== undefined && !isBlockText(last),
      isFirst: last === undefined,
      isLast: isEnd,
      apart: !kept && this.#isApart(token, index),
      kept,
    });
    if (!isEnd) this.#out += ' '.repeat(column);
  }

  #isApart({ type, start }: Token, index: number): boolean {
    if (type !== '-') return this.#apart.keys.has(start);
    const held = this.#tokens
      .slice(index + 1, index + 4)
      .find((token) => token.type !== 'anchor' && token.type !== 'tag');
    return held !== undefined && this.#apart.items.has(held.start);
  }

  #columnOf({ type }: Token, index: number): number {
    const top = this.#levels.at(-1);
    if (top === undefined) return this.#inside * STEP;
    if (this.#inside > 0) return top.to + this.#inside * STEP;
    const own = type === '-' || type === ']' || type === '}' || this.#tokens[index - 1]?.type === 'key';
    return own ? top.to : top.to + STEP;
  }

  #content(token: Token): string {
    const { type, style, start, end } = token;
    if (type === 'end') return '';
    const source = this.#source.slice(start, end);
    if (type !== 'scalar') return source;
    const top = this.#levels.at(-1);
    if (style === '|' || style === '>') {
      // A list without indentation of its own has none that the text's could be relative to.
      const from = this.#levels.findLast(({ bare }) => !bare)?.from ?? 0;
      return laidOutBlockText(source, token.text, from, top?.to ?? 0, STEP);
    }
    return laidOutLines(source, this.#inner + this.#inside * STEP, style);
  }
}

const isBlockText = ({ style }: Token): boolean => style === '|' || style === '>';

/** Blanks between two tokens of a line. */
function between(left: Token, right: Token): string {
  const named = left.type === 'alias' || left.type === 'tag' || left.type === 'anchor';
  if (right.type === ':' || right.type === ',' || right.type === ']' || right.type === '}') return named ? ' ' : '';
  return left.type === '[' || left.type === '{' ? '' : ' ';
}

/** Whether an alias or an anchor stands anywhere: what has some cannot be put in another order. */
export const hasAliases = (text: string): boolean => tokensOf(text).some(({ type }) => type === 'alias');

function tokensOf(source: string): readonly Token[] {
  const scanner = new Scanner(source);
  const tokens: Token[] = [];
  for (;;) {
    const token = scanner.take();
    tokens.push(token);
    if (token.type === 'end') return tokens;
  }
}
