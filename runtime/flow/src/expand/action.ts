import { type Block, entriesOf, fieldOf } from '../file/block.ts';
import { tryText, type Value } from '../python/value.ts';
import { ACTION_OUTPUTS, checkExpr, type KnownNames } from './checks/check.ts';
import { evaluateAlone } from './contexts/flow-contexts.ts';
import type { GraphPlace } from './graph/task-node.ts';
import { attempt, evaluateExpr, type FieldScope, type Known, Refused } from './outcome.ts';

/** The block of the file that a call names; undefined, with a warning, where it is not at hand. @throws Refused */
export function actionOf(
  call: Block,
  key: 'action' | 'module',
  { world, files }: Pick<GraphPlace, 'world' | 'files'>,
): Block | undefined {
  const expr = fieldOf(call, key, 'expr');
  if (expr === undefined) throw new Refused();
  const reference = tryText(evaluateAlone(world, expr) as Value) ?? '';
  if (key === 'module' && !/^(ws|workspace):/.test(reference)) {
    call.report.add('FLOW_ACTION', expr, `\`${reference}\` does not lie in the workspace`, 'modules are named ws:PATH');
    throw new Refused();
  }
  const found = files.action(reference);
  if ('problem' in found) {
    if (found.unresolved) {
      const folder = reference.replace(/^[^:]*:/, '');
      const hint = `give a folder by --actions that has ${folder}/action.yml`;
      call.report.add('FLOW_ACTION_UNRESOLVED', expr, found.problem, hint);
      return undefined;
    }
    call.report.add('FLOW_ACTION', expr, found.problem);
    throw new Refused();
  }
  if (found.block === undefined || found.report.failed) {
    call.report.add('FLOW_ACTION', expr, `\`${reference}\` has errors of its own`, `see ${found.report.file}`);
    throw new Refused();
  }
  return found.block;
}

/** Outputs of an action as far as they are known. `at`: its contexts, with `needs` of all its tasks to wait for. */
export function addOutputs(outputs: Map<string, Known>, action: Block, at: FieldScope, names: KnownNames): void {
  for (const [name, output] of entriesOf(action, 'outputs')) {
    const expr = fieldOf(output, 'value', 'expr');
    if (!checkExpr(expr, ACTION_OUTPUTS, names) || expr === undefined) continue;
    const value = attempt(() => evaluateExpr(expr, at));
    if (value !== undefined) outputs.set(name, value.value);
  }
}
