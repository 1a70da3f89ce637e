import { madeSchedule } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { withPlatform } from '../bakes/access.ts';
import { type BakeOptions, submissionOf } from '../bakes/bake.ts';

export interface AddOptions extends Omit<BakeOptions, 'detach'> {
  readonly cron?: string;
  readonly timeZone: string;
  readonly missed: 'skip' | 'once' | 'all';
  readonly overlap: boolean;
  readonly trigger: boolean;
}

/** Has the platform make a bake again and again. */
export async function run(context: CommandContext, name: string, path: string, options: AddOptions): Promise<void> {
  const { name: _, ...rest } = options;
  const bake = submissionOf(context, path, rest);
  if (bake === undefined) return;
  await withPlatform(context, options, async (client) => {
    const response = await client.ask('POST', '/flow/schedules', {
      name,
      bake,
      cron: options.cron ?? null,
      time_zone: options.timeZone,
      missed: options.missed,
      overlap: options.overlap,
      trigger: options.trigger,
    });
    const made = madeSchedule.parse(await response.json());
    const lines = [
      `${made.name}: ${made.batch} of ${made.org_name}/${made.project_name}, as ${made.owner}`,
      ...(made.next_at === null ? [] : [`next: ${made.next_at}`]),
      ...(made.trigger_url === null ? [] : [`trigger: POST ${made.trigger_url}`]),
      ...(made.trigger_secret === null ? [] : [`secret, told this once: ${made.trigger_secret}`]),
    ];
    context.result(made, lines.join('\n'));
  });
}
