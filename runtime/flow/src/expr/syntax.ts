import type { BinaryOperator, UnaryOperator } from '../python/operators.ts';
import type { Value } from '../python/value.ts';

/*
 * A template is text and expressions in turn; an expression is a tree of these nodes. `start` and `end` are offsets in
 * the template's text.
 */

interface Span {
  readonly start: number;
  readonly end: number;
}

export type Node =
  | (Span & { readonly kind: 'literal'; readonly value: Value })
  | (Span & { readonly kind: 'list'; readonly items: readonly Node[] })
  | (Span & { readonly kind: 'dict'; readonly items: readonly (readonly [key: Node, value: Node])[] })
  | (Span & { readonly kind: 'lookup'; readonly root: string; readonly trailer: readonly Getter[] })
  | (Span & {
      readonly kind: 'call';
      readonly name: string;
      readonly args: readonly Node[];
      readonly trailer: readonly Getter[];
    })
  | (Span & { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: Node; readonly right: Node })
  | (Span & { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Node })
  | (Span & { readonly kind: 'choice'; readonly consequent: Node; readonly condition: Node; readonly otherwise: Node })
  | (Span & {
      readonly kind: 'comprehension';
      readonly item: Node;
      readonly variable: string;
      readonly source: Node;
      readonly condition?: Node;
    });

/** `.name` or `[key]` after a lookup or call. */
export type Getter =
  | (Span & { readonly kind: 'attribute'; readonly name: string })
  | (Span & { readonly kind: 'item'; readonly key: Node });

/** One piece of a template. */
export type Part =
  | (Span & { readonly kind: 'text'; readonly text: string })
  | (Span & { readonly kind: 'expression'; readonly node: Node });

/** A text that is no template: where it breaks the grammar and what would have been right there. */
export class SyntaxFault extends Error {
  readonly start: number;
  readonly end: number;
  /** The nearest name, or another next step. */
  readonly hint: string | undefined;
  readonly kind: 'syntax' | 'function';
  constructor(
    message: string,
    span: Span,
    options: { readonly hint?: string; readonly kind?: 'syntax' | 'function' } = {},
  ) {
    super(message);
    this.start = span.start;
    this.end = Math.max(span.end, span.start + 1);
    this.hint = options.hint;
    this.kind = options.kind ?? 'syntax';
  }
}
