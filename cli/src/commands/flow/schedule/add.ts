import { madeSchedule } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { withPlatform } from '../bakes/access.ts';
import { type BakeOptions, submissionOf } from '../bakes/bake.ts';
import { sendContexts } from '../bakes/contexts.ts';

export interface AddOptions extends Omit<BakeOptions, 'detach'> {
  readonly cron?: string;
  readonly timeZone: string;
  readonly missed: 'skip' | 'once' | 'all';
  readonly overlap: boolean;
  readonly trigger: boolean;
  readonly storage?: string;
  readonly pattern: string;
  readonly on: readonly string[];
  readonly quiet: number;
  readonly changesTo?: string;
}

/** Has the platform make a bake again and again. */
export async function run(context: CommandContext, name: string, path: string, options: AddOptions): Promise<void> {
  const { name: _, ...rest } = options;
  const found = submissionOf(context, path, rest);
  if (found === undefined) return;
  await withPlatform(context, options, async (client) => {
    const bake = await sendContexts(client, found);
    const response = await client.ask('POST', '/flow/schedules', {
      name,
      bake,
      cron: options.cron ?? null,
      time_zone: options.timeZone,
      missed: options.missed,
      overlap: options.overlap,
      trigger: options.trigger,
      storage:
        options.storage === undefined
          ? null
          : {
              path: options.storage,
              pattern: options.pattern,
              on: options.on,
              quiet_seconds: options.quiet,
              param: options.changesTo ?? null,
            },
    });
    const made = madeSchedule.parse(await response.json());
    const lines = [
      `${made.name}: ${made.batch} of ${made.org_name}/${made.project_name}, as ${made.owner}`,
      ...(made.next_at === null ? [] : [`next: ${made.next_at}`]),
      ...(made.storage === null ? [] : [`files: ${made.storage.path} ${made.storage.pattern}`]),
      ...(made.trigger_url === null ? [] : [`trigger: POST ${made.trigger_url}`]),
      ...(made.trigger_secret === null ? [] : [`secret, told this once: ${made.trigger_secret}`]),
    ];
    context.result(made, lines.join('\n'));
  });
}
