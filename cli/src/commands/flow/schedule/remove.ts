import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from '../bakes/access.ts';
import { type SchedulePlace, scheduleNamed } from './questions.ts';

/** Removes a schedule. Its bakes stay, and go on. */
export async function run(
  context: CommandContext,
  name: string,
  options: PlatformOptions & SchedulePlace,
): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const found = await scheduleNamed(client, name, options);
    await client.ask('DELETE', `/flow/schedules/${found.id}`);
    context.result({ id: found.id, name }, `${name} is removed`);
  });
}
