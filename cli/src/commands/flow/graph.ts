import { type Drawing, drawGraph } from '@delos/flow';
import type { CommandContext } from '../../context.ts';
import { tryExpand } from './expansion.ts';
import type { FlowOptions } from './world.ts';

/** Draws the tasks of a flow. Exit code 1 where it has errors. */
export async function run(
  context: CommandContext,
  file: string,
  options: FlowOptions & { readonly format: Drawing },
): Promise<void> {
  const expansion = tryExpand(context, file, options);
  if (expansion === undefined) return;
  const drawing = drawGraph(expansion.tasks, options.format);
  context.result({ ok: true, format: options.format, drawing }, drawing);
}
