import type { Span } from './node.ts';

/** The pieces that a text is cut into. Those of blocks stand for changes of indentation. */
export type TokenType =
  | 'end'
  | 'directive'
  | '---'
  | '...'
  | 'mapping'
  | 'sequence'
  | 'block end'
  | '['
  | ']'
  | '{'
  | '}'
  | ','
  | '-'
  | 'key'
  | ':'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'scalar';

/** How a scalar is written; a plain one has no sign. */
export type Style = '' | '"' | "'" | '|' | '>';

export interface Token extends Span {
  readonly type: TokenType;
  /** Counts from 0: the line that it begins on, and the one that it ends on. */
  readonly line: number;
  readonly endLine: number;
  readonly column: number;
  /** The text of a scalar, the name of an anchor, the suffix of a tag, a directive's words. */
  readonly text: string;
  readonly style: Style;
  /** The handle of a tag: `!`, `!!` or `!name!`. Undefined where the tag is written in full. */
  readonly handle?: string | undefined;
}
