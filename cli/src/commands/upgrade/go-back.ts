import { savedServices, synthesize } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { expectedImages } from '../../instance/images.ts';
import { planPlatform } from '../../instance/platform.ts';
import type { Phases } from '../../phases.ts';
import { forgetUpgrade, restoreNotes, type UpgradeRecord } from './record.ts';
import { formerOf, restoreVolumes, synthesisOf } from './restore-point.ts';
import { type Place, sceneOf } from './scene.ts';
import { claimsOf, removeClaims, stopServices } from './stop.ts';

/**
 * Brings everything back to the restore point: volumes, objects with their images, and notes of the instance. Can be
 * repeated from its start. The cluster's own parts stay as they are: they run either version.
 * @throws DelosError of the step that failed; the record says that it is on its way back
 */
export async function goBack(
  context: CommandContext,
  phases: Phases,
  place: Place,
  record: UpgradeRecord,
): Promise<void> {
  const { paths, progress, signal } = context;
  const { deployFormer, manifestsIn } = await import('@delos/stacks');
  const { resolveTool } = await import('@delos/cluster');
  const { settings, engine, kube } = await sceneOf(context, place);
  const { config } = settings;
  const former = await formerOf(paths);
  const handle = await engine.handle();
  try {
    if (record.saved) {
      await phases.run('stop again', () => stopServices(kube, context));
      const images = await expectedImages(context, config, handle);
      const { input } = await planPlatform(context, settings, handle, images);
      const services = savedServices(config).filter(({ name }) => record.services.includes(name));
      const next = synthesize(input.config, input.context);
      const stopped = { kube, former: synthesisOf(manifestsIn(former)), services, next };
      await phases.run('volumes back', () => restoreVolumes(context, stopped));
    }
    const pulumi = await resolveTool('pulumi', progress);
    await phases.run('former version', () => deployFormer({ handle, pulumi, paths, progress, signal }, former));
    const added = (await claimsOf(kube)).filter((name) => !record.claims.includes(name));
    await phases.run('leftovers', () => removeClaims(kube, added));
  } catch (cause) {
    if (signal.aborted) throw cause;
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new DelosError('ERR_UPGRADE_FAILED', `the way back to ${record.from} failed: ${words}`, {
      hint: `it went back because of ${record.reason ?? 'a wish'}. \`delos upgrade --rollback\` goes on with the way back`,
      cause,
    });
  }
  restoreNotes(paths);
  forgetUpgrade(paths);
}
