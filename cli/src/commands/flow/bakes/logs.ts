import { DelosError } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { bakeNamed, type FlowPlace, reportOf } from './questions.ts';

/** Prints what a task has written, or what the engine tells of the bake; follows it to its end. */
export async function run(
  context: CommandContext,
  bake: string,
  task: string | undefined,
  options: PlatformOptions & FlowPlace & { readonly attempt?: number },
): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const report = await reportOf(client, await bakeNamed(client, bake, options), options.attempt);
    const job = task === undefined ? executorOf(report) : report.tasks.find(({ id }) => id === task)?.job;
    if (task !== undefined && !report.tasks.some(({ id }) => id === task)) {
      throw new DelosError('ERR_NOT_FOUND', `bake ${report.id} has no task ${JSON.stringify(task)}`, {
        hint: `it has ${report.tasks.map(({ id }) => id).join(', ')}`.slice(0, 1000),
      });
    }
    if (job == null) {
      const what = task === undefined ? `attempt ${report.number} of ${report.id}` : `task ${task}`;
      throw new DelosError('ERR_NOT_FOUND', `${what} has no job, and so no log`);
    }
    const { clusters } = await client.config();
    const [cluster] = clusters;
    if (cluster === undefined) throw new DelosError('ERR_NOT_FOUND', 'the platform tells of no cluster');
    const text = (await client.log(cluster.monitoring_url, job)).toString('utf8');
    context.result({ job, log: text }, text);
  });
}

const executorOf = (report: {
  readonly number: number;
  readonly attempts: readonly { readonly number: number; readonly executor_id: string | null }[];
}): string | null | undefined => report.attempts.find(({ number }) => number === report.number)?.executor_id;
