import { join } from 'node:path';
import { joinOf } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import type { Changes } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';
import { engineFrom, provideTools } from '../../instance/engine.ts';
import { provideImages } from '../../instance/images.ts';
import { kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { checkMachine } from '../../instance/preflight.ts';
import { readSettings, recordSettings } from '../../instance/settings.ts';
import { interruptible } from '../../interrupt.ts';
import { Phases } from '../../phases.ts';
import { platformUrls } from '../../platform-urls.ts';
import { refuseHalfRestored } from '../backup/record.ts';
import { writeRecords } from '../dns/write.ts';
import { checkGiven } from '../tls/given.ts';
import { refuseOtherRelease } from '../upgrade/other-release.ts';
import { refuseHalfUpgraded } from '../upgrade/record.ts';
import { ApiClient } from './api-client.ts';
import { refuseFewerMembers } from './fewer-members.ts';
import { firstJob, leftOutForJobs } from './first-job.ts';
import { throughCluster } from './gateway-forward.ts';
import type { Transport } from './gateway-route.ts';
import { type PlatformRecord, platformRecord } from './up-record.ts';
import { upText } from './up-text.ts';

/** Goes from whatever is there to a platform that has run a job. It repeats no step that is done. */
export async function run(
  context: CommandContext,
  options: {
    readonly config?: string;
    readonly context?: string;
    readonly bundle?: string;
    readonly trust?: string;
    readonly at?: string;
  },
): Promise<void> {
  refuseHalfRestored(context.paths);
  refuseHalfUpgraded(context.paths);
  await refuseOtherRelease(context.paths);
  const settings = await readSettings(context, options.config);
  const unlock = await lockInstance(context.paths, 'up');
  try {
    const { config } = settings;
    const joins = joinOf(config);
    const { progress, signal, paths } = context;
    const phases = new Phases(progress, signal);
    const brought = options.bundle === undefined ? undefined : await import('./from-bundle.ts');
    const bundle = await brought?.judged(phases, context, config, options);
    const engine = await engineFrom(context, config, options.context);
    await phases.run('preflight', () => checkMachine(context, config, options.context));
    await recordSettings(context, settings, options.config, engine.kind);

    const { keepForward, resolveTool } = await import('@delos/cluster');
    const { deployPlatform } = await import('@delos/stacks');
    const { serviceImages, wayIn } = await import('@delos/constructs');
    const { issueToken } = await import('./tokens.ts');

    const wheels = bundle === undefined ? null : await brought?.placed(phases, context, bundle);
    await phases.run('toolchain', () => provideTools(context, engine));
    const handle = await phases.run('cluster', () => interruptible(signal, engine.up(config, progress)));
    if (config.gateway.tls?.given?.secret !== undefined) await checkGiven(config, await kubeOf(context, handle));
    await refuseFewerMembers(config, await kubeOf(context, handle));
    const { late } = serviceImages(config);
    const file = join(paths.state, 'platform.json');
    const before = tryReadJson(file, platformRecord);
    const deploy = async (later: readonly string[], named: (what: string) => string) => {
      const images = await phases.run(named('images'), () =>
        interruptible(signal, provideImages(context, config, handle, later)),
      );
      const plan = await planPlatform(context, settings, handle, images);
      const { changes } = await phases.run(named('platform'), () => deployPlatform(plan.input));
      const record: PlatformRecord = {
        entrance: plan.open.entrance,
        images: { ...images.images },
        standIns: [...images.standIns],
      };
      writeJson(file, record);
      return { plan, changes };
    };
    // The first job does not wait for what it does not need. Once it is there, it is brought up to date with everything else.
    const awaited = late.filter((name) => !Object.hasOwn(before?.images ?? {}, name));
    const { plan, changes } = await deploy(awaited, (what) => what);
    const { apiUrl } = platformUrls(config, plan.open.entrance);
    const leftOut = joins === undefined ? leftOutForJobs(config) : ['a platform of its own'];
    const runFirstJob = async () => {
      if (plan.open.forward !== undefined) {
        const { path } = await resolveTool('kube', progress);
        await interruptible(signal, keepForward(paths, path, handle, plan.open.forward));
      }
      const token = await issueToken(context, { user: config.admin.user, ttlSeconds: 3600 });
      const send = (transport?: Transport) =>
        firstJob(new ApiClient(apiUrl, token, signal, transport), paths, config, progress, signal);
      const { exposure, publicUrl } = wayIn(config, plan.open.entrance);
      // Where its name leads nowhere yet, and where its authority is none that this process trusts.
      const direct = exposure.kind !== 'load-balancer' && publicUrl.startsWith('http:');
      if (direct) return await send();
      return await throughCluster(await kubeOf(context, handle), config, signal, send);
    };
    const job = leftOut.length === 0 ? await phases.run('first job', runFirstJob) : null;
    if (config.dns.update !== undefined && joins === undefined) {
      await phases.run('dns', () => writeRecords(config, () => kubeOf(context, handle)));
    }
    const later = awaited.length === 0 ? undefined : await deploy([], (what) => `${what} of what comes later`);
    const document = {
      apiUrl,
      adminUser: config.admin.user,
      kubeconfig: handle.kubeconfig,
      phases: phases.done,
      changes: later === undefined ? changes : bothChanges(changes, later.changes),
      firstJob: job,
      leftOutForJobs: leftOut,
      joined: joins?.cluster ?? null,
      wheels: wheels ?? null,
    };
    context.result(document, upText(document, paths.instance));
  } finally {
    unlock();
  }
}

/** Of two deployments, one after the other. */
const bothChanges = (first: Changes, second: Changes): Changes => ({
  same: second.same,
  create: first.create + second.create,
  update: first.update + second.update,
  replace: first.replace + second.replace,
  delete: first.delete + second.delete,
});
