import { type ServiceDescriptor, synthesize } from '@delos/constructs';
import { deploy } from '../bridge/deploy.ts';
import { ClusterProvider } from '../bridge/register.ts';
import type { SecretKeeper } from '../secrets/keeper.ts';
import type { Rotation } from '../secrets/renewal.ts';
import type { PlatformSettings } from './settings.ts';

/** What is special about a deployment. */
export interface ProgramOptions {
  /** What is deployed. @default all services */
  readonly services?: readonly ServiceDescriptor[] | undefined;
  /** What is made anew. @default what is due */
  readonly rotation?: Rotation | undefined;
}

/** The platform: every object of the constructs as a resource of its own, Secrets filled in. */
export async function platformProgram(
  settings: PlatformSettings,
  secrets: SecretKeeper,
  { services, rotation }: ProgramOptions = {},
): Promise<void> {
  const provider = new ClusterProvider('cluster', settings.cluster);
  await deploy(synthesize(settings.config, settings.context, services), {
    provider,
    secrets,
    ...(rotation === undefined ? {} : { rotation }),
  });
}
