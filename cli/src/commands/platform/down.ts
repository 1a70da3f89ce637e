import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tryReadJson } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { engineFrom } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { recordedConfig } from '../../instance/settings.ts';
import { removeJobs } from './jobs-left.ts';
import { platformRecord } from './up-record.ts';

/**
 * Ends all of this instance: on an embedded or kind cluster by ending the cluster, on one's own cluster by deleting the
 * platform's objects. Data stays unless told: a later `up` finds it again.
 */
export async function run(
  context: CommandContext,
  options: { readonly deleteData: boolean; readonly context?: string },
): Promise<void> {
  const unlock = await lockInstance(context.paths, 'down');
  try {
    const config = await recordedConfig(context);
    const engine = await engineFrom(context, config, options.context);
    const { paths, progress } = context;
    if (engine.kind === 'existing') {
      const { destroyPlatform } = await import('@delos/stacks');
      const handle = await engine.handle();
      const record = tryReadJson(join(paths.state, 'platform.json'), platformRecord);
      const plan = await planPlatform(context, { config, file: undefined }, handle, {
        images: record?.images ?? {},
        standIns: record?.standIns ?? [],
      });
      await destroyPlatform({ ...plan.input, keepData: !options.deleteData });
      await removeJobs(await kubeOf(context, handle), options.deleteData, progress);
    }
    await engine.down({ deleteData: options.deleteData }, progress);
    if (options.deleteData) await rm(paths.state, { recursive: true, force: true });
    const kept = options.deleteData ? 'Its data is deleted.' : `Its data is kept in ${paths.state}.`;
    context.result(
      { instance: paths.instance, engine: engine.kind, deletedData: options.deleteData, state: paths.state },
      `Instance ${paths.instance} is down. ${kept}`,
    );
  } finally {
    unlock();
  }
}
