import { scheduleRun } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import type { PlatformOptions } from '../bakes/access.ts';
import { type SchedulePlace, withSchedule } from './questions.ts';

/** Makes the bake of a schedule now. Exit code 1 where there is none. */
export async function run(
  context: CommandContext,
  name: string,
  options: PlatformOptions & SchedulePlace,
): Promise<void> {
  await withSchedule(context, name, options, async (client, id) => {
    const made = scheduleRun.parse(await (await client.ask('POST', `/flow/schedules/${id}/run`, {})).json());
    if (made.bake === null) process.exitCode = 1;
    context.result(made, made.bake ?? `${made.outcome}: ${made.why}`);
  });
}
