import type { Moment } from '../python/value.ts';

/** Offsets in the file's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The meaning of a scalar by YAML 1.1, as PyYAML resolves it. */
export type ScalarValue = null | boolean | bigint | number | string | Moment;

export interface YamlScalar extends Span {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
  /** As written, quotes and escapes resolved. */
  readonly text: string;
  /** Plain and read as something other than text: null, a number, a boolean, a date. */
  readonly typed: boolean;
}

export interface YamlSequence extends Span {
  readonly kind: 'sequence';
  readonly items: readonly YamlNode[];
}

export interface YamlMapping extends Span {
  readonly kind: 'mapping';
  readonly entries: readonly (readonly [key: YamlNode, value: YamlNode])[];
}

export type YamlNode = YamlScalar | YamlSequence | YamlMapping;

export const isNull = (node: YamlNode): boolean => node.kind === 'scalar' && node.value === null;

const WORDS = { scalar: 'one value', sequence: 'a list', mapping: 'keys and values' } as const;
/** A node in a person's words. */
export function kindInWords(node: YamlNode): string {
  if (node.kind !== 'scalar') return WORDS[node.kind];
  if (node.value === null) return 'nothing';
  const text = node.text.length > 40 ? `${node.text.slice(0, 39)}…` : node.text;
  return JSON.stringify(text);
}
