import { type TaskDocument, taskDocument } from '@delos/flow';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { tryExpand } from './expansion.ts';
import type { FlowOptions } from './world.ts';

/** Prints the concrete tasks of a flow. Exit code 1 where it has errors. */
export async function run(context: CommandContext, file: string, options: FlowOptions): Promise<void> {
  const expansion = tryExpand(context, file, options);
  if (expansion === undefined) return;
  const tasks = expansion.tasks.map(taskDocument);
  context.result({ ok: true, tasks }, text(tasks));
}

function text(tasks: readonly TaskDocument[]): string {
  const rows = tasks.map((task) => {
    const needs = Object.entries(task.needs).map(([id, level]) => (level === 'completed' ? id : `${id} (${level})`));
    return [task.id, task.kind, needs.join(', '), brief(task.image), brief(task.preset), brief(task.enable)];
  });
  return table(['TASK', 'KIND', 'NEEDS', 'IMAGE', 'PRESET', 'ENABLE'], rows);
}

function brief(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' && '$expr' in value ? String(value.$expr) : String(value);
}
