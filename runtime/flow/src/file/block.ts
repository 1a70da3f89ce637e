import type { Value } from '../python/value.ts';
import type { Span } from '../yaml/node.ts';
import type { Expr, WholeExpr } from './expr.ts';
import type { Report } from './report.ts';
import type { BlockName } from './schema.ts';

/** A list of values, or the template that gives one. */
export type ExprList =
  | (Span & {
      readonly kind: 'list';
      readonly items: readonly Expr[];
      /** Whether some were refused. */
      readonly torso: boolean;
      readonly report: Report;
    })
  | WholeExpr;
/** Keys and values, or the template that gives them. */
export type ExprMap =
  | (Span & {
      readonly kind: 'map';
      readonly entries: readonly (readonly [Value, Expr])[];
      /** Keys whose values were refused. */
      readonly refused: ReadonlySet<string>;
      readonly report: Report;
    })
  | WholeExpr;

export type NeedsLevel = 'completed' | 'running';
export interface Needs extends Span {
  readonly kind: 'needs';
  readonly entries: readonly (readonly [Expr, NeedsLevel])[];
  /** Whether some were refused. */
  readonly torso: boolean;
}

export interface Matrix extends Span {
  readonly kind: 'matrix';
  readonly report: Report;
  readonly products: ReadonlyMap<string, ExprList>;
  readonly exclude: readonly ReadonlyMap<string, Expr>[];
  readonly include: readonly ReadonlyMap<string, Expr>[];
  /** Whether a part of it was refused. */
  readonly torso: boolean;
}

export interface Blocks extends Span {
  readonly kind: 'blocks';
  readonly entries: ReadonlyMap<string, Block>;
  /** Names whose blocks were refused, as they stand there. */
  readonly refused: ReadonlySet<string>;
}

export interface Tasks extends Span {
  readonly kind: 'tasks';
  readonly items: readonly Block[];
  /** Whether some were refused. */
  readonly torso: boolean;
}

export type Field =
  | Expr
  | ExprList
  | ExprMap
  | Needs
  | Matrix
  | Block
  | Blocks
  | Tasks
  | Choice
  | { readonly kind: 'raw' };
export interface Choice extends Span {
  readonly kind: 'choice';
  readonly value: string;
}

/**
 * Keys and values of one table of the schema. `present` holds every key that stands there, also with nothing after it;
 * fields hold those with a value that can be used. `refused` are keys whose values were refused, each with
 * its text, or that were said to be missing: nothing more is to be said of what follows from that.
 */
export interface Block extends Span {
  readonly kind: 'block';
  readonly name: BlockName;
  readonly report: Report;
  readonly fields: Readonly<Record<string, Field>>;
  readonly present: ReadonlySet<string>;
  readonly refused: ReadonlyMap<string, string>;
  /** Where the block's own key stands, such as the id of a job. */
  readonly key?: Span;
}

type Kinds = {
  expr: Expr;
  needs: Needs;
  matrix: Matrix;
  block: Block;
  blocks: Blocks;
  tasks: Tasks;
  choice: Choice;
};

/** A field of a block, of one kind; undefined where it is not there. */
export function fieldOf<K extends keyof Kinds>(block: Block | undefined, name: string, kind: K): Kinds[K] | undefined {
  const field = block?.fields[name];
  return field?.kind === kind ? (field as Kinds[K]) : undefined;
}

export function listOf(block: Block | undefined, name: string): ExprList | undefined {
  const field = block?.fields[name];
  return field?.kind === 'list' || (field?.kind === 'whole' && field.of === 'list') ? (field as ExprList) : undefined;
}

export function mapOf(block: Block | undefined, name: string): ExprMap | undefined {
  const field = block?.fields[name];
  return field?.kind === 'map' || (field?.kind === 'whole' && field.of === 'map') ? (field as ExprMap) : undefined;
}

/** Named blocks of a section, empty where it is not there. */
export const entriesOf = (block: Block | undefined, name: string): ReadonlyMap<string, Block> =>
  fieldOf(block, name, 'blocks')?.entries ?? new Map();

/** Names of a section that stand there and were refused; undefined where all of it was. */
export function refusedIn(block: Block | undefined, name: string): ReadonlySet<string> | undefined {
  if (block?.refused.has(name) === true) return undefined;
  return fieldOf(block, name, 'blocks')?.refused ?? NONE;
}
const NONE: ReadonlySet<string> = new Set();
