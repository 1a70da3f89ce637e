import { DelosError } from '@delos/core';
import { type Expansion, expandFlow, isFlow, verdict } from '@delos/flow';
import type { CommandContext } from '../../context.ts';
import { shown } from './validate.ts';
import { type FlowOptions, flowName, readFlow, renderAll, worldOf } from './world.ts';

/** The expansion of a flow; undefined, with everything said and the exit code set, where it has errors. */
export function tryExpand(context: CommandContext, file: string, options: FlowOptions): Expansion | undefined {
  const parsed = readFlow(file, 'flow');
  if (parsed.kind !== undefined && !isFlow(parsed.kind)) {
    throw new DelosError('ERR_USAGE', `${file} is no flow`, { hint: 'only live and batch flows have tasks' });
  }
  const expansion =
    parsed.block === undefined
      ? { tasks: [], images: [], ...verdict([parsed]), used: { project: undefined, actions: new Map() } }
      : expandFlow(parsed, flowName(file), worldOf(file, options));
  // Without the file of an action, its tasks are not known.
  const whole = expansion.diagnostics.every(({ code }) => code !== 'FLOW_ACTION_UNRESOLVED');
  if (expansion.ok && whole) return expansion;
  context.result({ ok: false, diagnostics: expansion.diagnostics.map(shown) }, '');
  if (!context.json) process.stderr.write(`${renderAll(expansion.diagnostics)}\n`);
  process.exitCode = 1;
  return undefined;
}
