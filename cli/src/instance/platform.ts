import type { ClusterHandle } from '@delos/cluster';
import type { PlatformInput } from '@delos/stacks';
import { type OpenEntrance, openEntrance } from '../commands/platform/plan.ts';
import type { CommandContext } from '../context.ts';
import type { PlatformImages } from './images.ts';
import type { Settings } from './settings.ts';

export interface PlatformPlan {
  readonly input: PlatformInput;
  readonly open: OpenEntrance;
}

/** All that the stack needs, from a cluster that is up and images that are there. */
export async function planPlatform(
  context: CommandContext,
  settings: Settings,
  handle: ClusterHandle,
  { images, standIns }: PlatformImages,
): Promise<PlatformPlan> {
  const { resolveTool } = await import('@delos/cluster');
  const open = await openEntrance(settings.config, handle);
  const { apiServer } = handle;
  const userNamespaces = handle.lacksUserNamespaces.length === 0;
  return {
    open,
    input: {
      config: settings.config,
      ...(settings.file === undefined ? {} : { configFile: settings.file }),
      context: {
        images,
        standIns,
        apiServer,
        userNamespaces,
        dnsAddresses: handle.dnsAddresses,
        networks: handle.networks,
        diskClass: handle.diskClass,
        fileFolder: handle.fileFolder,
        entrance: open.entrance,
      },
      handle,
      pulumi: await resolveTool('pulumi', context.progress),
      paths: context.paths,
      progress: context.progress,
      signal: context.signal,
    },
  };
}
