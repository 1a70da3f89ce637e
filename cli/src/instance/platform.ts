import type { ClusterHandle } from '@delos/cluster';
import type { PlatformInput } from '@delos/stacks';
import { type Entrance, openEntrance } from '../commands/platform/plan.ts';
import type { CommandContext } from '../context.ts';
import type { PlatformImages } from './images.ts';
import type { Settings } from './settings.ts';

export interface PlatformPlan {
  readonly input: PlatformInput;
  readonly publicUrl: string;
  readonly apiUrl: string;
  readonly entrance: Entrance;
}

/** All that the stack needs, from a cluster that is up and images that are there. */
export async function planPlatform(
  context: CommandContext,
  settings: Settings,
  handle: ClusterHandle,
  { images, standIns }: PlatformImages,
): Promise<PlatformPlan> {
  const { resolveTool } = await import('@delos/cluster');
  const entrance = await openEntrance(settings.config, handle);
  const { publicUrl, exposure } = entrance;
  return {
    publicUrl,
    apiUrl: `${publicUrl}/api/v1`,
    entrance,
    input: {
      config: settings.config,
      ...(settings.file === undefined ? {} : { configFile: settings.file }),
      context: { images, standIns, publicUrl, apiServer: handle.apiServer, exposure },
      handle,
      pulumi: await resolveTool('pulumi', context.progress),
      paths: context.paths,
      progress: context.progress,
      signal: context.signal,
    },
  };
}
