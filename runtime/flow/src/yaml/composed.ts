import type { Span, YamlNode, YamlScalar } from './node.ts';

/** A text that is no YAML, or none that flows may use. */
export interface YamlFault extends Span {
  readonly kind: 'text' | 'syntax' | 'tag';
  readonly message: string;
  readonly hint?: string;
}

/** A file as nodes. `root` is undefined where faults left nothing to look at. */
export interface Composed {
  readonly root: YamlNode | undefined;
  readonly faults: readonly YamlFault[];
  /** Keys that stand twice in one mapping: the later one counts. */
  readonly duplicates: readonly YamlScalar[];
}

/** Levels; the language itself has nine. */
export const MAX_LEVELS = 64;
