import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError, isDelosError, joinOf, left } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askRuntime } from '../../instance/runtime-command.ts';
import { readSettings, recordedConfig } from '../../instance/settings.ts';
import { run as down } from '../platform/down.ts';
import { removeJoin } from './join-block.ts';

const LIMIT_MS = 600_000;
const AGAIN_MS = 2_000;

/**
 * This cluster leaves its platform, which ends its jobs and removes its disks by this cluster's agent. Then all that Delos has
 * made here goes.
 */
export async function run(
  context: CommandContext,
  options: { readonly force: boolean; readonly context?: string },
): Promise<void> {
  const config = await recordedConfig(context);
  const join = joinOf(config);
  if (join === undefined) {
    throw new DelosError('ERR_CONFLICT', `instance ${context.paths.instance} has joined no platform`, {
      hint: '`delos down` takes an instance down',
    });
  }
  const { file } = await readSettings(context, undefined);
  try {
    await untilLeft(context);
  } catch (error) {
    if (!options.force || !isDelosError(error)) throw error;
    context.progress.warn(`${error.message}; where the platform is: delos clusters remove ${join.cluster}`);
  }
  removeJoin(context.paths, file);
  await down(context, { ...options, deleteData: true });
}

async function untilLeft(context: CommandContext): Promise<void> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const question = { service: 'agent', program: 'leave', request: {}, what: 'its leave' };
    const { jobs, disks } = left.parse(await askRuntime(context, question));
    if (jobs === 0 && disks === 0) return;
    if (Date.now() > end) {
      throw new DelosError(
        'ERR_TIMEOUT',
        `${jobs} jobs and ${disks} disks are still there after ${LIMIT_MS / 1000} s`,
        {
          hint: 'the same command goes on; `delos leave --force` takes all away at once',
        },
      );
    }
    context.progress.step(`waiting until the platform has ended ${jobs} jobs and removed ${disks} disks here`);
    await sleep(AGAIN_MS, undefined, { signal: context.signal });
  }
}
