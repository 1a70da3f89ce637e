import type { ShownSchedule } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { table } from '../../../table.ts';
import { type PlatformOptions, withPlatform } from '../bakes/access.ts';
import { type SchedulePlace, schedulesOf } from './questions.ts';

/** Lists schedules, each with its last run. */
export async function run(context: CommandContext, options: PlatformOptions & SchedulePlace): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const schedules = await schedulesOf(client, options);
    const rows = schedules.map((each) => {
      const [last] = each.runs;
      return [
        each.name,
        `${each.org_name}/${each.project_name}`,
        each.batch,
        timesOf(each),
        each.next_at?.slice(0, 16).replace('T', ' ') ?? '',
        last === undefined
          ? 'none yet'
          : `${last.outcome} ${last.at.slice(0, 16).replace('T', ' ')} ${last.bake ?? last.why}`,
      ];
    });
    const text = table(['NAME', 'PROJECT', 'BATCH', 'TIMES', 'NEXT (UTC)', 'LAST RUN'], rows);
    context.result({ schedules }, rows.length === 0 ? 'there are no schedules' : text);
  });
}

function timesOf({ cron, time_zone: zone, storage, trigger_url: trigger }: ShownSchedule): string {
  const all = [
    ...(cron === null ? [] : [`${cron} ${zone}`]),
    ...(storage === null ? [] : [storage.problem === null ? `files of ${storage.path}` : `files: ${storage.problem}`]),
    ...(trigger === null ? [] : ['by trigger']),
  ];
  return all.join('; ');
}
