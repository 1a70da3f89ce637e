import { str } from '../../python/text.ts';
import type { ExpandedTask } from '../expanded-task.ts';

/** Whether a task stands for others, whose ids begin with its own. */
export const isFrame = ({ kind }: ExpandedTask): boolean => kind === 'action' || kind === 'module';

/** Children of each frame, the top level under the empty name. */
export function nesting(tasks: readonly ExpandedTask[]): ReadonlyMap<string, readonly ExpandedTask[]> {
  const frames = new Set(tasks.filter(isFrame).map(({ id }) => id));
  return Map.groupBy(tasks, ({ id }) => {
    // Made-up ids may hold a point of their own, from the number in a row of a matrix.
    for (let at = id.lastIndexOf('.'); at > 0; at = id.lastIndexOf('.', at - 1))
      if (frames.has(id.slice(0, at))) return id.slice(0, at);
    return '';
  });
}

/** The id within its frame, and below it the row of the matrix. */
export function labelOf(task: ExpandedTask, frame: string): readonly string[] {
  const own = frame === '' ? task.id : task.id.slice(frame.length + 1);
  const row = [...task.matrix.entries()]
    .filter(([name]) => name !== 'ORDINAL')
    .map(([name, value]) => `${str(name)}=${str(value)}`);
  return row.length === 0 ? [own] : [own, row.join(' ')];
}
