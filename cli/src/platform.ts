import type { ClusterHandle } from '@delos/cluster';
import type { CommandContext } from './context.ts';
import { openEntrance } from './plan.ts';
import type { StackInput } from './rooms.ts';
import type { Settings } from './settings.ts';

export interface PlatformPlan {
  readonly input: StackInput;
  readonly publicUrl: string;
  readonly apiUrl: string;
}

/** All that the stack needs, from a cluster that is up and images that are there. */
export async function planPlatform(
  context: CommandContext,
  settings: Settings,
  handle: ClusterHandle,
  images: Readonly<Record<string, string>>,
): Promise<PlatformPlan> {
  const { publicUrl, exposure } = await openEntrance(settings.config, handle);
  return {
    publicUrl,
    apiUrl: `${publicUrl}/api/v1`,
    input: {
      config: settings.config,
      context: { images, publicUrl, apiServer: handle.apiServer, exposure },
      handle,
      paths: context.paths,
      root: context.root,
      progress: context.progress,
      signal: context.signal,
    },
  };
}
