import { join } from 'node:path';
import { wayIn } from '@delos/constructs';
import { DelosError, SERVICE_NAMES } from '@delos/core';
import { writeJson } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { provideImages } from '../../instance/images.ts';
import { kubeOf } from '../../instance/kube.ts';
import { planPlatform } from '../../instance/platform.ts';
import { recordSettings } from '../../instance/settings.ts';
import { interruptible } from '../../interrupt.ts';
import type { Phases } from '../../phases.ts';
import { platformUrls } from '../../platform-urls.ts';
import { serviceStatuses } from '../observe/services.ts';
import { ApiClient } from '../platform/api-client.ts';
import { throughCluster } from '../platform/gateway-forward.ts';
import type { Transport } from '../platform/gateway-route.ts';
import { issueToken } from '../platform/tokens.ts';
import type { PlatformRecord } from '../platform/up-record.ts';
import { type Place, sceneOf } from './scene.ts';

/** Whoever lets something in that a restore point does not have: users, and what the cluster does with jobs. */
const CLOSED = [SERVICE_NAMES.gateway, 'agent'];

/**
 * Brings cluster and platform to this version, each stage behind a gate. Can be repeated from its start.
 * @throws DelosError of the stage that failed, which is the last of `phases`
 */
export async function change(
  context: CommandContext,
  phases: Phases,
  options: Place & { readonly gateLimit: number },
): Promise<void> {
  const { paths, progress, signal } = context;
  const { deployPlatform } = await import('@delos/stacks');
  const { keepForward, resolveTool } = await import('@delos/cluster');
  const { settings, engine } = await sceneOf(context, options);
  const { config } = settings;
  await recordSettings(context, settings, options.config, engine.kind);
  const handle = await phases.run('cluster', () => interruptible(signal, engine.up(config, progress)));
  const images = await phases.run('images', () => interruptible(signal, provideImages(context, config, handle)));
  const plan = await planPlatform(context, settings, handle, images);
  const gating = { limitSeconds: options.gateLimit };
  await phases.run('services', () => deployPlatform(plan.input, { ...gating, closed: CLOSED }));
  await phases.run('way in', () => deployPlatform(plan.input, gating));
  const record: PlatformRecord = {
    entrance: plan.open.entrance,
    images: { ...images.images },
    standIns: [...images.standIns],
  };
  writeJson(join(paths.state, 'platform.json'), record);
  const kube = await kubeOf(context, handle);
  await phases.run('health', async () => {
    const ill = (await serviceStatuses(kube, config, undefined)).filter(({ ready }) => !ready);
    if (ill.length > 0) {
      throw new DelosError(
        'ERR_NOT_READY',
        ill.map(({ name, message }) => `${name}: ${message ?? 'not ready'}`).join('; '),
      );
    }
    if (plan.open.forward !== undefined) {
      const { path } = await resolveTool('kube', progress);
      await interruptible(signal, keepForward(paths, path, handle, plan.open.forward));
    }
    const token = await issueToken(context, { user: config.admin.user, ttlSeconds: 600 });
    const { apiUrl } = platformUrls(config, plan.open.entrance);
    const ask = async (transport?: Transport): Promise<void> => {
      const { clusters } = await new ApiClient(apiUrl, token, signal, transport).config();
      if (clusters.length === 0) throw new DelosError('ERR_NOT_READY', 'the API knows no cluster');
    };
    const { exposure, publicUrl } = wayIn(config, plan.open.entrance);
    const direct = exposure.kind !== 'load-balancer' && publicUrl.startsWith('http:');
    if (direct) await ask();
    else await throughCluster(kube, config, signal, ask);
  });
}
