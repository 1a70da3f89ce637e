import { type DelosConfig, type SynthesisContext, synthesize } from '@delos/constructs';
import type { InstancePaths, Progress } from '@delos/core';
import { resourceName, typeToken } from '../bridge/identity.ts';
import { pulumiEnvironment, pulumiHome } from '../driver/home.ts';
import {
  destroy,
  type PreviewResult,
  preview,
  refresh,
  type StackOptions,
  type UpdateResult,
  up,
} from '../driver/stack.ts';
import type { Rotation } from '../secrets/renewal.ts';
import { isOfAuthority } from '../secrets/store.ts';
import type { Turn } from '../secrets/turn.ts';
import type { Gating } from './program.ts';
import { type PlatformSettings, settingsToConfig } from './settings.ts';

export interface PlatformInput {
  readonly config: DelosConfig;
  /** The file that `config` was read from, for a plain `pulumi up` to read anew. */
  readonly configFile?: string;
  readonly context: SynthesisContext;
  readonly handle: { readonly kubeconfig: string; readonly context: string };
  /** The Pulumi command. */
  readonly pulumi: { readonly path: string };
  readonly paths: InstancePaths;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What a restore deploys before any service has started. */
export interface GroundInput extends PlatformInput {
  /** The secrets of the platform that comes back, as {@link platformSecrets} gave them. */
  readonly secrets: string;
}

/** Every secret of the deployed platform, as text; undefined where none is deployed. @throws Error of `pulumi` */
export async function platformSecrets({
  paths,
  pulumi,
}: Pick<PlatformInput, 'paths' | 'pulumi'>): Promise<string | undefined> {
  const { keptSecrets } = await import('../driver/kept-secrets.ts');
  return await keptSecrets({ command: pulumi.path, home: pulumiHome(paths) });
}

/**
 * Deploys what the services stand on, and none of them, with the secrets that they shall find. The next
 * {@link deployPlatform} adds the services.
 * @throws DelosError as deployPlatform does
 */
export const deployGround = ({ secrets, ...input }: GroundInput): Promise<UpdateResult> =>
  up(stackOf(input, { ground: { services: [], secrets } }));

/** Deploys the platform or brings it up to date. @throws DelosError ERR_DEPLOY, ERR_NOT_READY, ERR_LOCKED, ERR_INTERRUPTED */
export const deployPlatform = (input: PlatformInput, gating: Gating = {}): Promise<UpdateResult> =>
  up(stackOf(input, { gating }));

/**
 * Makes the certificates of the platform's own authority anew, and changes nothing but the objects that hold them.
 * @throws DelosError as {@link deployPlatform}
 */
export const rotateCertificates = (input: PlatformInput, rotation: Rotation): Promise<UpdateResult> => {
  const { objects } = synthesize(input.config, input.context);
  const only = objects
    .filter(({ secrets }) => Object.values(secrets).some(isOfAuthority))
    .map(({ manifest }) => ({ type: typeToken(manifest), name: resourceName(manifest) }));
  return up(stackOf(input, { rotation }), { only });
};

/**
 * Takes a step in the rotation of secrets: deploys their Secrets, and lets what reads them at its start, start anew. The same step
 * again completes one that was interrupted.
 * @throws DelosError as {@link deployPlatform}
 */
export const turnSecrets = (input: PlatformInput, turn: Turn): Promise<UpdateResult> => up(stackOf(input, { turn }));

/** What `deployPlatform` would do. Changes nothing. */
export const previewPlatform = (input: PlatformInput): Promise<PreviewResult> => preview(stackOf(input));

/** Takes over into the state what others changed on the cluster. */
export const refreshPlatform = (input: PlatformInput): Promise<UpdateResult> => refresh(stackOf(input));

/** Deletes the platform's objects. With `keepData`, claims of volumes and the namespaces they lie in stay. */
export const destroyPlatform = (input: PlatformInput & { readonly keepData: boolean }): Promise<UpdateResult> =>
  destroy(stackOf(input), input.keepData ? { keep: ['PersistentVolumeClaim', 'Namespace'] } : {});

/** What is special about a deployment. */
interface Deployment {
  readonly ground?: { readonly services: readonly []; readonly secrets: string };
  readonly rotation?: Rotation;
  readonly gating?: Gating;
  readonly turn?: Turn;
}

const settingsOf = ({ config, context, handle }: PlatformInput): PlatformSettings => ({
  config,
  context,
  cluster: { kubeconfig: handle.kubeconfig, context: handle.context },
});

function stackOf(input: PlatformInput, deployment: Deployment = {}): StackOptions {
  const settings = settingsOf(input);
  return {
    paths: input.paths,
    pulumi: input.pulumi,
    cluster: settings.cluster,
    config: settingsToConfig(settings, input.configFile),
    progress: input.progress,
    signal: input.signal,
    program: () => runProgram(input, settings, deployment),
  };
}

async function runProgram(
  input: PlatformInput,
  settings: PlatformSettings,
  { ground, rotation, gating, turn }: Deployment,
): Promise<void> {
  const [{ configKeeper }, { platformProgram }] = await Promise.all([
    import('../secrets/keeper.ts'),
    import('./program.ts'),
  ]);
  const home = pulumiHome(input.paths);
  const env = { ...process.env, ...pulumiEnvironment(home) };
  const keeper = configKeeper({ command: input.pulumi.path, cwd: home.project, env, restored: ground?.secrets });
  // No service asks for its secrets yet, so nothing else would keep them.
  if (ground !== undefined) await keeper.keep(ground.secrets);
  await platformProgram(settings, keeper, { services: ground?.services, rotation, turn, ...gating });
}
