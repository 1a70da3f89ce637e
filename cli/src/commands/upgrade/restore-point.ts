import { readFileSync } from 'node:fs';
import { type Manifest, RESTORE_FOLDER, type SavedService, type Synthesis, volumeRestore } from '@delos/constructs';
import { DelosError, type InstancePaths, RELEASE } from '@delos/core';
import { writeAtomic } from '@delos/host';
import { Encrypter } from 'age-encryption';
import type { CommandContext } from '../../context.ts';
import type { Kube } from '../../instance/kube.ts';
import { decrypterFor, newKey } from '../backup/keys.ts';
import { outputOf, runInPod } from '../backup/pod-command.ts';
import { readBackup } from '../backup/reader.ts';
import { megabytes } from '../backup/sizes.ts';
import { Volumes } from '../backup/volumes.ts';
import { writeBackup } from '../backup/writer.ts';
import { restorePoint } from './record.ts';

/** Writes a tar of a folder of the volume, without an entry for the folder itself, which belongs to somebody else. */
const SAVE = `set -eu
cd ${RESTORE_FOLDER}/"$1"
find . -mindepth 1 -maxdepth 1 ! -name lost+found -printf '%P\\0' |
  tar --create --file=- --xattrs --xattrs-include='user.*' --null --verbatim-files-from --files-from=-`;

/** Removes all of a folder, and what a newer version kept beside it, as far as they are this user's. */
const CLEAN = `cd ${RESTORE_FOLDER} || exit 1
if [ "$1" = . ]; then find . -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +; else rm -rf "$1" "$1".*; fi
exit 0`;

/** Keeps what is deployed, encrypted by a key that is made for it. */
export async function keepFormer(paths: InstancePaths, former: string): Promise<void> {
  const files = restorePoint(paths);
  const recipient = await newKey(files.key);
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  writeAtomic(files.former, Buffer.from(await encrypter.encrypt(former)).toString('base64'));
}

/** What was deployed. @throws DelosError ERR_BACKUP where the restore point is not whole */
export async function formerOf(paths: InstancePaths): Promise<string> {
  const files = restorePoint(paths);
  try {
    const bytes = Buffer.from(readFileSync(files.former, 'utf8'), 'base64');
    return await decrypterFor({ key: files.key }).decrypt(bytes, 'text');
  } catch (cause) {
    throw new DelosError('ERR_BACKUP', `the restore point in ${files.folder} cannot be read`, {
      hint: 'restore the instance from a backup: `delos down --delete-data`, then `delos restore`',
      cause,
    });
  }
}

/** Manifests as a tree of constructs would give them. */
export const synthesisOf = (manifests: readonly Manifest[]): Synthesis => ({
  objects: manifests.map((manifest) => ({
    id: [manifest.kind, manifest.metadata.namespace ?? '', manifest.metadata.name].join('/'),
    manifest,
    dependsOn: [],
    secrets: {},
  })),
});

/** What a restore point is taken of. */
export interface Stopped {
  readonly kube: Kube;
  /** The former version: its volumes are read by its own image and user. */
  readonly former: Synthesis;
  readonly services: readonly SavedService[];
}

/** Copies the volumes of services that do not run. */
export async function saveVolumes(
  context: CommandContext,
  { kube, former, services }: Stopped,
  { secrets, config }: { readonly secrets: string; readonly config: string },
): Promise<void> {
  const { paths, progress, signal } = context;
  const files = restorePoint(paths);
  const recipient = /age1[a-z0-9]+/.exec(readFileSync(files.key, 'utf8'))?.[0] ?? '';
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  await inVolumePods(kube, former, services, signal, async () => {
    await writeBackup(files.backup, encrypter, {
      about: {
        release: RELEASE,
        instance: paths.instance,
        createdAt: new Date().toISOString(),
        services: services.map(({ name, version }) => ({ name, version })),
      },
      config,
      secrets,
      open: (name, ended) => {
        const service = services.find((each) => each.name === name);
        if (service === undefined) throw new DelosError('ERR_INTERNAL', `no service ${name} is saved`);
        return outputOf(kube, podOf(service), script(SAVE, service), AbortSignal.any([signal, ended]));
      },
      onBytes: (name, bytes) => progress.step(`${name}: ${megabytes(bytes)}`),
    });
  });
}

/** Brings the volumes back. The newer version may have given them another owner, who alone can remove what is there. */
export async function restoreVolumes(
  context: CommandContext,
  { kube, former, services, next }: Stopped & { readonly next: Synthesis },
): Promise<void> {
  const { paths, progress, signal } = context;
  const files = restorePoint(paths);
  const changed = services.filter(({ name }) => next.objects.some(({ manifest }) => isStatefulSet(manifest, name)));
  try {
    await inVolumePods(kube, next, changed, signal, async () => {
      for (const service of changed) await runInPod(kube, podOf(service), script(CLEAN, service), signal);
    });
  } catch (error) {
    if (signal.aborted) throw error;
    // Where the newer image does not even start, it has taken nothing over, and its former owner can remove it.
    progress.warn(
      `volumes were not emptied by the newer version: ${error instanceof Error ? error.message : String(error)}`,
    );
    await untilNoPods(kube, services);
  }
  const volumes = await Volumes.of(kube, former, services, signal);
  await volumes.open();
  await readBackup(files.backup, decrypterFor({ key: files.key }), {
    onRead: (bytes) => progress.step(`restored ${megabytes(bytes)}`),
    onChunk: (name, bytes) => volumes.write(name, bytes),
  });
  await volumes.commit();
  await untilNoPods(kube, services);
}

const isStatefulSet = ({ kind, metadata }: Manifest, name: string): boolean =>
  kind === 'StatefulSet' && metadata.name === name;

const podOf = ({ name, namespace }: SavedService) => ({ namespace, pod: `restore-${name}` });

const script = (text: string, { backup }: SavedService): readonly string[] => [
  '/bin/sh',
  '-c',
  text,
  'upgrade',
  backup.folder,
];

/** Does something while a Pod has each volume. Those that a killed run left are taken away first. */
async function inVolumePods(
  kube: Kube,
  synthesis: Synthesis,
  services: readonly SavedService[],
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  await untilNoPods(kube, services);
  const volumes = await Volumes.of(kube, synthesis, services, signal);
  await volumes.open();
  await work();
  for (const service of services) {
    const { pod } = volumeRestore(synthesis, service);
    await kube.text(['delete', 'pod', pod.metadata.name, '--namespace', service.namespace, '--wait=false']);
  }
  await untilNoPods(kube, services);
}

async function untilNoPods(kube: Kube, services: readonly SavedService[]): Promise<void> {
  for (const service of services) {
    const { namespace, pod } = podOf(service);
    const gone = ['--ignore-not-found', '--timeout=60s', '--request-timeout=0'];
    await kube.text(['delete', 'pod', pod, '--namespace', namespace, ...gone]);
  }
}
