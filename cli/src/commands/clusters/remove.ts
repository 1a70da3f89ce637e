import { left } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { operator } from '../../instance/runtime-command.ts';
import { askClusters } from './ask.ts';

/** Forgets a cluster that is no more: its secrets open nothing, its jobs are told as ended, its disks as gone. */
export async function run(context: CommandContext, cluster: string): Promise<void> {
  const { jobs, disks } = left.parse(await askClusters(context, { action: 'remove', cluster, by: operator() }));
  context.result(
    { cluster, jobs, disks },
    `${cluster} is no cluster of this platform any more. ${jobs} jobs were told as ended, ${disks} disks as gone. What runs there yet is not known here: \`delos leave --force\` there ends it.`,
  );
}
