import { readFileSync } from 'node:fs';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { provideTools } from '../../instance/engine.ts';
import { provideImages } from '../../instance/images.ts';
import { checkMachine } from '../../instance/preflight.ts';
import { interruptible } from '../../interrupt.ts';
import type { Phases } from '../../phases.ts';
import { savedNow } from './facts.ts';
import type { Refusal } from './plan.ts';
import { beginRestorePoint, keepUpgrade, type UpgradeRecord } from './record.ts';
import { formerOf, keepFormer, saveVolumes, synthesisOf } from './restore-point.ts';
import { lookAhead, type Place, type Scene, sceneOf } from './scene.ts';
import { claimsOf, stopServices } from './stop.ts';

/**
 * Prepares all that can be while the platform serves, stops it, and takes the restore point.
 * @param interrupted an earlier call had stopped it, and no more
 * @throws DelosError ERR_UPGRADE_REFUSED before anything is changed
 */
export async function begin(
  context: CommandContext,
  phases: Phases,
  place: Place,
  interrupted: UpgradeRecord | undefined,
): Promise<UpgradeRecord> {
  const { paths } = context;
  const { manifestsIn, platformSecrets } = await import('@delos/stacks');
  const { resolveTool } = await import('@delos/cluster');
  let record = interrupted;
  let scene: Scene;
  if (record === undefined) {
    const ahead = await phases.run('plan', () => lookAhead(context, place));
    const { plan } = ahead;
    scene = ahead.scene;
    if (plan.refusals.length > 0) throw refused(plan.refusals);
    await prepare(context, phases, place, scene);
    const services = savedNow(scene.settings.config, manifestsIn(ahead.former));
    beginRestorePoint(paths);
    await keepFormer(paths, ahead.former);
    record = {
      from: plan.from,
      to: plan.to,
      phase: 'stopping',
      saved: false,
      services: services.map(({ name }) => name),
      claims: [...(await claimsOf(scene.kube))],
      since: new Date().toISOString(),
    };
    keepUpgrade(paths, record);
  } else {
    scene = await sceneOf(context, place);
    await prepare(context, phases, place, scene);
  }
  const { kube, settings } = scene;
  const former = manifestsIn(await formerOf(paths));
  await phases.run('stop', () => stopServices(kube, context));
  const secrets = await platformSecrets({ paths, pulumi: await resolveTool('pulumi', context.progress) });
  await phases.run('restore point', () =>
    saveVolumes(
      context,
      { kube, former: synthesisOf(former), services: savedNow(settings.config, former) },
      { secrets: secrets ?? '', config: settings.file === undefined ? '' : readFileSync(settings.file, 'utf8') },
    ),
  );
  const saved: UpgradeRecord = { ...record, phase: 'changing', saved: true };
  keepUpgrade(paths, saved);
  return saved;
}

/** Tools and images come while the former version serves. */
async function prepare(context: CommandContext, phases: Phases, place: Place, scene: Scene): Promise<void> {
  const { config } = scene.settings;
  await phases.run('preflight', () => checkMachine(context, config, place.context));
  await phases.run('toolchain', () => provideTools(context, scene.engine));
  const handle = await scene.engine.handle();
  await phases.run('images', () => interruptible(context.signal, provideImages(context, config, handle)));
}

function refused(refusals: readonly Refusal[]): DelosError {
  const [first, ...others] = refusals;
  const more = others.map(({ what }) => what).join('; ');
  return new DelosError(
    'ERR_UPGRADE_REFUSED',
    `nothing was changed: ${first?.what ?? ''}${more === '' ? '' : `; ${more}`}`,
    {
      hint: first?.todo ?? '',
      data: { refusals },
    },
  );
}
