import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { SavedService } from '@delos/constructs';
import { DelosError, RELEASE } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { lockInstance } from '../../instance/lock.ts';
import { readSettings } from '../../instance/settings.ts';
import { Phases } from '../../phases.ts';
import { encrypterFor, newKey, type SealOptions } from './keys.ts';
import { outputOf } from './pod-command.ts';
import { readyPod } from './ready-pod.ts';
import { bytesOf, megabytes } from './sizes.ts';
import { writeBackup } from './writer.ts';

export interface Options extends SealOptions {
  readonly out?: string;
  readonly newKey?: string;
  readonly config?: string;
  /** Whether files of projects are left out. */
  readonly withoutFiles: boolean;
  /** Most bytes of files of projects, as a quantity. */
  readonly mostFiles: string;
}

/** Writes all that the platform keeps into one encrypted file, while it serves. */
export async function run(context: CommandContext, options: Options): Promise<void> {
  if (options.newKey !== undefined) {
    const recipient = await newKey(options.newKey);
    const file = resolve(options.newKey);
    return context.result(
      { file, recipient },
      `${file}: keep it where the platform's disks are not, for nothing else opens the backups.\n\n  delos backup --to ${recipient}`,
    );
  }
  const encrypter = encrypterFor(options);
  const most = bytesOf(options.mostFiles);
  const { paths, progress, signal } = context;
  const unlock = await lockInstance(paths, 'backup');
  try {
    const settings = await readSettings(context, options.config);
    const phases = new Phases(progress, signal);
    const { SAVED_FILES, savedServices } = await import('@delos/constructs');
    const { FilesPart } = await import('./files-part.ts');
    const { platformSecrets } = await import('@delos/stacks');
    const { resolveTool } = await import('@delos/cluster');
    const kube = await kubeOf(context, await (await engineOf(context)).handle());
    const pulumi = await resolveTool('pulumi', progress);
    const secrets = await platformSecrets({ paths, pulumi });
    if (secrets === undefined) {
      throw new DelosError('ERR_NOT_UP', `there is no platform of instance ${paths.instance} to back up`, {
        hint: '`delos up` deploys one. A stack that a plain `pulumi up` deployed is backed up by whoever keeps its state',
      });
    }
    const services = savedServices(settings.config);
    const files = options.withoutFiles ? undefined : await FilesPart.of(kube);
    const createdAt = new Date().toISOString();
    const file = resolve(options.out ?? `delos-${paths.instance}-${createdAt.replace(/[:.]/g, '-')}.backup`);
    if (existsSync(file)) {
      throw new DelosError('ERR_CONFLICT', `${file} is there`, { hint: 'a backup is never overwritten: name another' });
    }
    mkdirSync(dirname(file), { recursive: true });
    const written = await phases.run('backup', () =>
      writeBackup(file, encrypter, {
        about: {
          release: RELEASE,
          instance: paths.instance,
          createdAt,
          services: [...services, ...(files === undefined ? [] : [SAVED_FILES])].map(({ name, version }) => ({
            name,
            version,
          })),
        },
        config: settings.file === undefined ? '' : readFileSync(settings.file, 'utf8'),
        secrets,
        open: (name, ended) => {
          if (name === SAVED_FILES.name && files !== undefined)
            return files.read(most, AbortSignal.any([signal, ended]));
          const service = services.find((each) => each.name === name);
          if (service === undefined) throw new DelosError('ERR_INTERNAL', `no service ${name} is saved`);
          return saved(kube, service, AbortSignal.any([signal, ended]));
        },
        onBytes: (name, bytes) => progress.step(`${name}: ${megabytes(bytes)}`),
      }),
    );
    const parts = Object.entries(written.services).map(([name, { bytes }]) => `${name} ${megabytes(bytes)}`);
    const without =
      files === undefined ? 'Disks of jobs and files of projects are not in it.' : 'Disks of jobs are not in it.';
    const left = files?.leftOut ?? 0;
    const more =
      left === 0 ? '' : ` ${left} files or folders that jobs keep to themselves could not be read, and are not in it.`;
    context.result(
      { file, about: written.about, services: written.services, filesLeftOut: left, phases: phases.done },
      `${file}: ${parts.join(', ')}, the configuration and all secrets. ${without}${more}\n\n  delos restore ${file} --verify`,
    );
  } finally {
    unlock();
  }
}

/** The tar of a service, from the first of its Pods that is ready. Each has all. */
async function* saved(kube: Kube, service: SavedService, signal: AbortSignal): AsyncGenerator<Buffer> {
  const { namespace, pods, backup } = service;
  const pod = pods.length === 1 ? pods[0] : ((await readyPod(kube, namespace, { names: pods })) ?? pods[0]);
  yield* outputOf(kube, { namespace, pod }, backup.save, signal);
}
