import { synthesize } from '@delos/constructs';
import { deploy } from '../bridge/deploy.ts';
import { ClusterProvider } from '../bridge/register.ts';
import type { SecretKeeper } from '../secrets/keeper.ts';
import type { Rotation } from '../secrets/renewal.ts';
import type { PlatformSettings } from './settings.ts';

/** The platform: every object of the constructs as a resource of its own, Secrets filled in. */
export async function platformProgram(
  settings: PlatformSettings,
  secrets: SecretKeeper,
  rotation?: Rotation,
): Promise<void> {
  const provider = new ClusterProvider('cluster', settings.cluster);
  await deploy(synthesize(settings.config, settings.context), {
    provider,
    secrets,
    ...(rotation === undefined ? {} : { rotation }),
  });
}
