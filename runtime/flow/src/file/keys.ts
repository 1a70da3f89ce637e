import { nearest } from '@delos/core';
import { longer } from '../expr/evaluate.ts';
import { kindInWords, type YamlMapping, type YamlNode } from '../yaml/node.ts';
import type { Report } from './report.ts';
import { BLOCKS, type BlockName, keysOfBlock } from './schema.ts';
import { placeOf } from './words.ts';

/** A key of a table: its name, or, with the fault reported, the one that was probably meant. */
export type ReadKey = { readonly name: string } | { readonly meant: string | undefined };

export function readTableKey(table: BlockName, node: YamlNode, parent: YamlMapping, report: Report): ReadKey {
  const keys = keysOfBlock(table);
  if (node.kind === 'scalar' && typeof node.value === 'string' && Object.hasOwn(keys, node.value))
    return { name: node.value };
  if (node.kind !== 'scalar') {
    report.add('FLOW_KEY', node, `expected a key, found ${kindInWords(node)}`);
    return { meant: undefined };
  }
  const { text } = node;
  if (Object.hasOwn(besides(table), text)) {
    const call = table.endsWith('ModuleCall') ? 'module' : 'action';
    const hint = `a call takes: ${Object.keys(keys).join(', ')}`;
    report.add('FLOW_KEY_CONFLICT', node, `\`${text}\` is not allowed beside \`${call}\``, hint);
    return { meant: undefined };
  }
  const there = new Set(parent.entries.map(([key]) => (key.kind === 'scalar' ? key.text : '')));
  const free = Object.keys(keys).filter((candidate) => !there.has(candidate));
  const meant = nearest(text, free) ?? longer(text, free);
  const near = meant ?? nearest(text, Object.keys(keys));
  const elsewhere = near === undefined ? placeOf(text) : undefined;
  const hint =
    near !== undefined
      ? `did you mean \`${near}\`?`
      : elsewhere !== undefined
        ? `\`${text}\` belongs in ${elsewhere}`
        : `expected one of: ${Object.keys(keys).join(', ')}`;
  report.add('FLOW_KEY', node, `unknown key \`${text}\``, hint);
  return { meant };
}

/** Keys that a call could have if it were none. */
function besides(table: BlockName): object {
  switch (table) {
    case 'taskActionCall':
    case 'taskModuleCall':
      return { ...BLOCKS.task, ...BLOCKS.taskActionCall };
    case 'jobActionCall':
    case 'jobModuleCall':
      return { ...BLOCKS.job, ...BLOCKS.jobActionCall };
    default:
      return {};
  }
}
