import type { BakeDifference } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { bakeNamed, differenceOf, type FlowPlace } from './questions.ts';

/** Tells what changed from one bake to another. */
export async function run(
  context: CommandContext,
  before: string,
  after: string,
  options: PlatformOptions & FlowPlace,
): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const one = await bakeNamed(client, before, options);
    const difference = await differenceOf(client, one, await bakeNamed(client, after, options));
    context.result(difference, shown(difference).join('\n'));
  });
}

interface Change {
  readonly before: string | null;
  readonly after: string | null;
}

const arrow = ({ before, after }: Change): string => `${before ?? 'none'} → ${after ?? 'none'}`;

/** Lines for a person. */
export function shown(difference: BakeDifference): string[] {
  const { batch, commit, params, files, tasks } = difference;
  const lines = [
    ...(batch === null ? [] : [`batch: ${arrow(batch)}`]),
    ...(commit === null ? [] : [`commit: ${arrow(commit)}`]),
    ...Object.entries(params).map(([name, change]) => `param ${name}: ${arrow(change)}`),
    ...files.flatMap((file) => [
      `file ${file.name}: ${file.change}`,
      ...file.lines.map((line) => `  ${line}`),
      ...(file.cut ? ['  …'] : []),
    ]),
    ...tasks.map((task) => {
      const told = [
        ...(task.change === 'changed' ? [] : [task.change]),
        ...(task.status === null ? [] : [arrow(task.status)]),
        ...(task.image === null ? [] : [`image ${arrow(task.image)}`]),
        ...(task.key === null ? [] : ['given other things']),
      ];
      return `task ${task.id}: ${told.join('; ') || 'differs'}`;
    }),
  ];
  return lines.length === 0 ? ['nothing changed'] : lines;
}
