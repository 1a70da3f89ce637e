import { type Block, fieldOf } from '../file/block.ts';
import { tryText, type Value } from '../python/value.ts';
import { evaluateAlone } from './contexts/flow-contexts.ts';
import type { GraphPlace } from './graph/task-node.ts';
import { Refused } from './outcome.ts';

/** The block of the file that a call names. @throws Refused */
export function actionOf(
  call: Block,
  key: 'action' | 'module',
  { world, files }: Pick<GraphPlace, 'world' | 'files'>,
): Block {
  const expr = fieldOf(call, key, 'expr');
  if (expr === undefined) throw new Refused();
  const reference = tryText(evaluateAlone(world, expr) as Value) ?? '';
  if (key === 'module' && !/^(ws|workspace):/.test(reference)) {
    call.report.add('FLOW_ACTION', expr, `\`${reference}\` does not lie in the workspace`, 'modules are named ws:PATH');
    throw new Refused();
  }
  const found = files.action(reference);
  if ('problem' in found) {
    call.report.add(
      found.unresolved ? 'FLOW_ACTION_UNRESOLVED' : 'FLOW_ACTION',
      expr,
      found.problem,
      found.unresolved ? 'give a folder with its files by --actions' : undefined,
    );
    throw new Refused();
  }
  if (found.block === undefined || found.report.failed) {
    call.report.add('FLOW_ACTION', expr, `\`${reference}\` has errors of its own`, `see ${found.report.file}`);
    throw new Refused();
  }
  return found.block;
}
