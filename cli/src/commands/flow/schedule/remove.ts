import type { CommandContext } from '../../../context.ts';
import type { PlatformOptions } from '../bakes/access.ts';
import { type SchedulePlace, withSchedule } from './questions.ts';

/** Removes a schedule. Its bakes stay, and go on. */
export async function run(
  context: CommandContext,
  name: string,
  options: PlatformOptions & SchedulePlace,
): Promise<void> {
  await withSchedule(context, name, options, async (client, id) => {
    await client.ask('DELETE', `/flow/schedules/${id}`);
    context.result({ id, name }, `${name} is removed`);
  });
}
