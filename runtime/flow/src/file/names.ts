import { nearest } from '@delos/core';
import { str } from '../python/text.ts';
import { kindInWords, type YamlNode } from '../yaml/node.ts';
import type { Choice } from './block.ts';
import { idFault } from './convert.ts';
import type { Report } from './report.ts';

/** A key that names something; undefined, with the fault reported, where it is no name. */
export function readId(key: YamlNode, report: Report): string | undefined {
  if (key.kind !== 'scalar' || typeof key.value !== 'string') {
    report.add(
      'FLOW_ID',
      key,
      `expected a name, found ${kindInWords(key)}`,
      key.kind === 'scalar' ? 'put it in quotes, or choose another: YAML reads it as something else' : undefined,
    );
    return undefined;
  }
  const fault = idFault(key.value);
  if (fault === undefined) return key.value;
  report.add('FLOW_ID', key, fault);
  return undefined;
}

/** A key of a mapping whose keys are free. */
export function readKey(key: YamlNode, report: Report): string | undefined {
  if (key.kind === 'scalar') return str(key.value);
  report.add('FLOW_TYPE', key, `expected a name, found ${kindInWords(key)}`);
  return undefined;
}

/** One of some words. */
export function readChoice(node: YamlNode, report: Report, values: readonly string[]): Choice | undefined {
  const text = node.kind === 'scalar' ? str(node.value) : undefined;
  if (text !== undefined && values.includes(text))
    return { kind: 'choice', value: text, start: node.start, end: node.end };
  const near = text === undefined ? undefined : nearest(text, values);
  report.add(
    'FLOW_VALUE',
    node,
    `expected ${values.join(', ')}, found ${kindInWords(node)}`,
    near === undefined ? undefined : `did you mean \`${near}\`?`,
  );
  return undefined;
}

/** How what was refused is known: by the text that stands there; empty where it is no text. */
export const textOfKey = (node: YamlNode): string => (node.kind === 'scalar' ? node.text : '');
