import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SavedService } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { engineFrom, provideTools } from '../../instance/engine.ts';
import { provideImages } from '../../instance/images.ts';
import { kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { readSettings, recordSettings, type Settings } from '../../instance/settings.ts';
import { interruptible } from '../../interrupt.ts';
import { Phases } from '../../phases.ts';
import { run as up } from '../platform/up.ts';
import { refuseHalfBack } from '../restore-time/record.ts';
import { restoreToTime, type TimeOptions } from '../restore-time/restore-time.ts';
import { decrypterFor, type OpenOptions } from './keys.ts';
import { type BackupTexts, readBackup } from './reader.ts';
import { endRestore, keepRestore, restoreOf } from './record.ts';
import { megabytes } from './sizes.ts';
import { notRun, Volumes } from './volumes.ts';

export interface Options extends OpenOptions, TimeOptions {
  readonly verify: boolean;
  readonly config?: string;
  readonly context?: string;
  /** Whether files of projects that are in the backup are left where they are. */
  readonly withoutFiles: boolean;
}

/** Brings a platform back from a backup, where there is none: reads the whole file first, and changes nothing before. */
export async function run(context: CommandContext, given: string | undefined, options: Options): Promise<void> {
  if (options.points || options.toTime !== undefined) {
    if (given !== undefined) throw new DelosError('ERR_USAGE', 'expected a FILE, --points or --to-time, one of them');
    return await restoreToTime(context, options);
  }
  if (given === undefined) {
    throw new DelosError('ERR_USAGE', 'expected the file of a backup', {
      hint: '`delos restore FILE` where there is no platform; `delos restore --to-time TIME` takes one back to a time',
    });
  }
  refuseHalfBack(context.paths);
  const file = resolve(given);
  const decrypter = decrypterFor(options);
  const { paths, progress, signal } = context;
  const phases = new Phases(progress, signal);
  const size = existsSync(file) ? statSync(file).size : 0;
  const tell = (verb: string) => (bytes: number) => {
    if (bytes === size || bytes % (64 * 2 ** 20) < 2 ** 18)
      progress.step(`${verb} ${megabytes(bytes)} of ${megabytes(size)}`);
  };
  const backup = await phases.run('verify', () =>
    interruptible(signal, readBackup(file, decrypter, { onRead: tell('read') })),
  );
  const { about } = backup;
  const parts = Object.entries(backup.services).map(([name, { bytes }]) => `${name} ${megabytes(bytes)}`);
  const what = `instance ${about.instance} of ${about.createdAt}, release ${about.release}: ${parts.join(', ')}`;
  if (options.verify) {
    return context.result({ file, about, services: backup.services }, `${file} is whole: ${what}`);
  }
  const unlock = await lockInstance(paths, 'restore');
  try {
    const before = restoreOf(paths);
    if (before !== undefined && before.id !== about.id) {
      throw new DelosError('ERR_CONFLICT', `a restore of another backup, ${before.file}, was interrupted`, {
        hint: 'go on with that file, or give it up: delos down --delete-data',
      });
    }
    if (before?.phase !== 'services') {
      const settings = await configOf(context, options.config, backup);
      await restoreVolumes(context, phases, settings, { file, backup, options, goesOn: before !== undefined, tell });
    }
  } finally {
    unlock();
  }
  await up(context, options.context === undefined ? {} : { context: options.context });
  endRestore(paths);
}

interface Work {
  readonly file: string;
  readonly backup: BackupTexts;
  readonly options: Options;
  readonly goesOn: boolean;
  readonly tell: (verb: string) => (bytes: number) => void;
}

async function restoreVolumes(context: CommandContext, phases: Phases, settings: Settings, work: Work): Promise<void> {
  const { file, backup, options } = work;
  const { config } = settings;
  const { paths, progress, signal } = context;
  const { SAVED_FILES, savedServices, synthesize } = await import('@delos/constructs');
  const { deployGround } = await import('@delos/stacks');
  const parts = backup.about.services.filter(({ name }) => name !== SAVED_FILES.name);
  const services = fitting(savedServices(config), { ...backup.about, services: parts });
  const files = !options.withoutFiles && parts.length < backup.about.services.length;
  const engine = await engineFrom(context, config, options.context);
  await recordSettings(context, settings, settings.file, engine.kind);
  await phases.run('toolchain', () => provideTools(context, engine));
  const handle = await phases.run('cluster', () => interruptible(signal, engine.up(config, progress)));
  const images = await phases.run('images', () => interruptible(signal, provideImages(context, config, handle)));
  const { input } = await planPlatform(context, settings, handle, images);
  const kube = await kubeOf(context, handle);
  const volumes = await Volumes.of(kube, synthesize(input.config, input.context), services, signal, { files });
  const present = work.goesOn ? [] : await volumes.present();
  if (present.length > 0) {
    throw new DelosError('ERR_CONFLICT', `instance ${paths.instance} has data already: ${present.join(', ')}`, {
      hint: 'a restore goes where there is none: another instance (--instance NAME), or after delos down --delete-data',
    });
  }
  keepRestore(paths, { id: backup.about.id, file, phase: 'volumes' });
  await phases.run('ground', () => deployGround({ ...input, secrets: backup.secrets }));
  await phases.run('volumes', async () => {
    await volumes.open();
    const decrypter = decrypterFor(options);
    await readBackup(file, decrypter, {
      onRead: work.tell('restored'),
      onChunk: async (name, bytes) => {
        if (files || name !== SAVED_FILES.name) await volumes.write(name, bytes);
      },
    });
    await volumes.commit();
  });
  keepRestore(paths, { id: backup.about.id, file, phase: 'services' });
}

/** The services of the configuration that the backup has. @throws DelosError ERR_BACKUP where these do not fit */
function fitting(services: readonly SavedService[], about: BackupTexts['about']): readonly SavedService[] {
  const major = (version: string): string => version.split('.')[0] ?? '';
  for (const { name, version } of about.services) {
    const own = services.find((service) => service.name === name);
    if (own === undefined) throw notRun(name);
    if (major(own.version) !== major(version)) {
      throw new DelosError('ERR_BACKUP', `the backup is of ${name} ${version}, and this release runs ${own.version}`, {
        hint: `restore with the release that wrote it (${about.release}), then upgrade`,
      });
    }
  }
  return services.filter(({ name }) => about.services.some((each) => each.name === name));
}

/** The configuration that is given, else that of the backup, which then lies in the instance's state. */
async function configOf(context: CommandContext, given: string | undefined, backup: BackupTexts): Promise<Settings> {
  if (given !== undefined) return await readSettings(context, given);
  const file = `${context.paths.state}/restored.yaml`;
  writeIfChanged(file, backup.config, 0o600);
  return await readSettings(context, file);
}
