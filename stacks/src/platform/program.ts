import { type ServiceDescriptor, type Synthesis, synthesize } from '@delos/constructs';
import { INSTALLED_CONFIG_MAP } from '@delos/core';
import { z } from 'zod';
import { deploy } from '../bridge/deploy.ts';
import { ClusterProvider } from '../bridge/register.ts';
import type { SecretKeeper } from '../secrets/keeper.ts';
import type { Rotation } from '../secrets/renewal.ts';
import type { Turn } from '../secrets/turn.ts';
import type { PlatformSettings } from './settings.ts';

/** How carefully a deployment goes. */
export interface Gating {
  /** Names of Deployments that are there and have no Pod. The platform is not recorded as installed while there are any. */
  readonly closed?: readonly string[] | undefined;
  /** Seconds in which each object must be ready. @default what the object says, else 600 */
  readonly limitSeconds?: number | undefined;
}

/** What is special about a deployment. */
export interface ProgramOptions extends Gating {
  /** What is deployed. @default all services */
  readonly services?: readonly ServiceDescriptor[] | undefined;
  /** What is made anew. @default what is due */
  readonly rotation?: Rotation | undefined;
  /** A step in the rotation of passwords. @default none */
  readonly turn?: Turn | undefined;
}

/** The platform: every object of the constructs as a resource of its own, Secrets filled in. */
export async function platformProgram(
  settings: PlatformSettings,
  secrets: SecretKeeper,
  { services, rotation, turn, closed = [], limitSeconds }: ProgramOptions = {},
): Promise<void> {
  const provider = new ClusterProvider('cluster', settings.cluster);
  await deploy(closing(synthesize(settings.config, settings.context, services), closed), {
    provider,
    secrets,
    ...(limitSeconds === undefined ? {} : { limitSeconds }),
    ...(rotation === undefined ? {} : { rotation }),
    ...(turn === undefined ? {} : { turn }),
  });
}

/** The same objects, but with no Pod of these Deployments, and without the record that all is installed. */
function closing(synthesis: Synthesis, closed: readonly string[]): Synthesis {
  if (closed.length === 0) return synthesis;
  return {
    objects: synthesis.objects
      .filter(({ manifest: { kind, metadata } }) => kind !== 'ConfigMap' || metadata.name !== INSTALLED_CONFIG_MAP)
      .map((object) => {
        const { manifest } = object;
        if (manifest.kind !== 'Deployment' || !closed.includes(manifest.metadata.name)) return object;
        return { ...object, manifest: { ...manifest, spec: { ...spec.parse(manifest.spec), replicas: 0 } } };
      }),
  };
}

const spec = z.looseObject({});
