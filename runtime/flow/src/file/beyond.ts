import type { YamlMapping, YamlNode } from '../yaml/node.ts';
import type { Block } from './block.ts';
import type { Report } from './report.ts';
import { hasType } from './words.ts';

/** Checks that the tables of keys cannot express. */
export function checkBeyond(block: Block, node: YamlMapping, report: Report, isAction: boolean): void {
  const at = (name: string): YamlNode =>
    node.entries.findLast(([key]) => key.kind === 'scalar' && key.value === name)?.[0] ?? node;
  switch (block.name) {
    case 'project':
      if (block.present.has('role'))
        report.add('FLOW_DEPRECATED', at('role'), '`role` has no effect any more', 'remove it');
      return;
    case 'job':
      if (isAction && block.fields.params !== undefined)
        report.add('FLOW_KEY', at('params'), 'a live action has no `params`', 'use `inputs` of the action');
      return;
    case 'statefulAction':
    case 'localAction':
      checkOutputs(block, at, report);
      return;
    case 'input':
      checkDefault(block, report);
      return;
    default:
  }
}

function checkOutputs(block: Block, at: (name: string) => YamlNode, report: Report): void {
  const outputs = block.fields.outputs;
  if (block.present.has('outputs') && outputs === undefined && !block.refused.has('outputs'))
    report.add('FLOW_TYPE', at('outputs'), 'expected names, each with keys and values, found nothing');
  for (const output of outputs?.kind === 'blocks' ? outputs.entries.values() : []) {
    const value = output.fields.value;
    if (value?.kind !== 'expr' || value.given === null) continue;
    report.add(
      'FLOW_KEY',
      value,
      'only outputs of batch actions have a `value`',
      'write `::set-output name=NAME::VALUE` in the log instead',
    );
  }
}

const HINTS: Readonly<Record<string, string>> = {
  str: 'put it in quotes',
  float: 'write it with a point, such as 1.0',
  int: 'write a whole number',
  bool: 'write true or false',
};

function checkDefault(block: Block, report: Report): void {
  const value = block.fields.default;
  if (value?.kind !== 'expr' || value.given === null || block.refused.has('type')) return;
  const type = block.fields.type?.kind === 'choice' ? block.fields.type.value : 'str';
  if (hasType(value.constant, type)) return;
  report.add('FLOW_INPUT', value, `the default is not of the type \`${type}\``, HINTS[type]);
}
