import type { ClusterEngine } from '@delos/cluster';
import { engineContext, synthesize } from '@delos/constructs';
import { DelosError, RELEASE } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineFrom } from '../../instance/engine.ts';
import { expectedImages } from '../../instance/images.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { readSettings, type Settings } from '../../instance/settings.ts';
import { upgradeFacts } from './facts.ts';
import { planUpgrade, type UpgradePlan } from './plan.ts';

/** How an upgrade was asked for, as far as it says where. */
export interface Place {
  readonly offline: boolean;
  readonly config?: string;
  readonly context?: string;
}

/** What an upgrade acts on. */
export interface Scene {
  readonly settings: Settings;
  readonly engine: ClusterEngine;
  readonly kube: Kube;
}

/** The cluster as it is. */
export async function sceneOf(context: CommandContext, place: Place): Promise<Scene> {
  const settings = await readSettings(context, place.config);
  const engine = await engineFrom(context, settings.config, place.context);
  return { settings, engine, kube: await kubeOf(context, await engine.handle()) };
}

/** Looks at what is installed, and plans. Changes nothing. @throws DelosError ERR_NOT_UP where there is nothing to upgrade */
export async function lookAhead(
  context: CommandContext,
  place: Place,
): Promise<{ readonly scene: Scene; readonly former: string; readonly plan: UpgradePlan }> {
  const { exportPlatform, installedRelease, manifestsIn } = await import('@delos/stacks');
  const { resolveTool } = await import('@delos/cluster');
  const { paths } = context;
  const from = await installedRelease({ paths });
  if (from === 'none' || from === 'unfinished' || from === RELEASE) throw nothingToDo(paths.instance, from);
  const scene = await sceneOf(context, place);
  const pulumi = await resolveTool('pulumi', context.progress);
  const former = await exportPlatform({ paths, pulumi });
  const { config } = scene.settings;
  const handle = await scene.engine.handle();
  const { images, standIns } = await expectedImages(context, config, handle);
  const next = synthesize(config, { ...engineContext(config, scene.engine.kind), images, standIns });
  const facts = await upgradeFacts(context, scene.kube, {
    config,
    from,
    former: manifestsIn(former),
    next: next.objects.map(({ manifest }) => manifest),
    offline: place.offline,
  });
  return { scene, former, plan: planUpgrade(facts) };
}

function nothingToDo(instance: string, from: string): DelosError {
  if (from === RELEASE) {
    return new DelosError('ERR_CONFLICT', `instance ${instance} runs ${RELEASE} already`, {
      hint: '`delos up` brings it up to date with delos.yaml',
    });
  }
  return new DelosError('ERR_NOT_UP', `instance ${instance} has no platform to upgrade`, {
    hint:
      from === 'none'
        ? '`delos up` deploys one. A stack that a plain `pulumi up` deployed is upgraded by whoever keeps its state'
        : 'its deployment has not come to an end yet: `delos up` goes on',
  });
}
