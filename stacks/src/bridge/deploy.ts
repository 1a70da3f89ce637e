import type { Synthesis } from '@delos/constructs';
import pulumi from '@pulumi/pulumi';
import { certificateAuthority } from '../secrets/certificates.ts';
import { configKeeper, type SecretKeeper } from '../secrets/keeper.ts';
import type { Rotation } from '../secrets/renewal.ts';
import { parseStore } from '../secrets/secret-store.ts';
import { completeSecrets } from '../secrets/store.ts';
import type { Turn } from '../secrets/turn.ts';
import { register } from './register.ts';
import { restarting } from './restarts.ts';

/** How {@link deploy} deploys. */
export interface DeployOptions {
  /** The cluster that the objects go to. */
  readonly provider: pulumi.ProviderResource;
  /** Keeps the values of Secrets between runs. @default the configuration of the program's stack, encrypted, as `delos:secrets` */
  readonly secrets?: SecretKeeper;
  /** Makes certificates anew before they are due. @default only those that are due */
  readonly rotation?: Rotation;
  /** A step in the rotation of passwords. @default none */
  readonly turn?: Turn;
  /** Seconds in which each object must be ready. @default what the object says, else 600 */
  readonly limitSeconds?: number;
}

/**
 * Deploys a tree of constructs from a Pulumi program: each object as a resource of its own, after those that it waits for.
 * Values of Secrets are made at the first run, kept, and filled in. A later run makes only what is missing, and
 * certificates that are near their end.
 * @returns the resources by the id of their object
 * @example
 * await deploy(synthOf(platform), { provider: new ClusterProvider('cluster') });
 */
export async function deploy(
  synthesis: Synthesis,
  options: DeployOptions,
): Promise<ReadonlyMap<string, pulumi.CustomResource>> {
  const { provider, secrets = ownKeeper() } = options;
  const before = parseStore(secrets.kept);
  const { objects } = synthesis;
  const now = new Date();
  const { store, changed, values } = await completeSecrets(objects, before, certificateAuthority, now, {
    rotation: options.rotation,
    turn: options.turn,
  });
  // Kept before the first use: a run that is killed next finds the same values again.
  if (changed && !pulumi.runtime.isDryRun()) await secrets.keep(JSON.stringify(store));
  const { limitSeconds } = options;
  return register(restarting(synthesis, store.steps), {
    provider,
    secrets: values,
    ...(limitSeconds === undefined ? {} : { limitSeconds }),
  });
}

const ownKeeper = (): SecretKeeper =>
  configKeeper({ command: 'pulumi', cwd: pulumi.getRootDirectory(), env: process.env });
