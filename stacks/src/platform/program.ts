import { type ServiceDescriptor, synthesize } from '@delos/constructs';
import { deploy } from '../bridge/deploy.ts';
import { ClusterProvider } from '../bridge/register.ts';
import type { SecretKeeper } from '../secrets/keeper.ts';
import type { PlatformSettings } from './settings.ts';

/**
 * The platform: every object of the constructs as a resource of its own, Secrets filled in.
 * @param services what is deployed; left out: all
 */
export async function platformProgram(
  settings: PlatformSettings,
  secrets: SecretKeeper,
  services?: readonly ServiceDescriptor[],
): Promise<void> {
  const provider = new ClusterProvider('cluster', settings.cluster);
  await deploy(synthesize(settings.config, settings.context, services), { provider, secrets });
}
