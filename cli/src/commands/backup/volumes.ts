import { type Manifest, RESTORE_FOLDER, type SavedService, type Synthesis, volumeRestore } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { connect, type ObjectClient, type ObjectRef } from '@delos/stacks';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { PodInput, runInPod } from './pod-command.ts';

const OWNER = { fieldManager: 'delos-restore' };
const READY_SECONDS = 300;

/** Unpacks beside the folder that is meant, which so is never half there; what fills the whole volume, into it. */
const UNPACK = `set -eu
umask 077
cd ${RESTORE_FOLDER}
into=$1
if [ "$1" = . ]; then
  find . -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
else
  into=$1.restoring
  rm -rf "$1" "$into"
  mkdir "$into"
fi
tar --extract --file=- --xattrs --xattrs-include='user.*' --directory="$into"`;

const COMMIT = `set -eu
cd ${RESTORE_FOLDER}
sync
if [ "$1" != . ]; then
  mv "$1.restoring" "$1"
  sync
fi`;

/** Volumes of services that are not there yet, while a backup is read into them. */
export class Volumes {
  readonly #kube: Kube;
  readonly #objects: ObjectClient;
  readonly #synthesis: Synthesis;
  readonly #services: readonly SavedService[];
  readonly #signal: AbortSignal;
  readonly #inputs = new Map<string, PodInput>();

  private constructor(
    kube: Kube,
    objects: ObjectClient,
    synthesis: Synthesis,
    services: readonly SavedService[],
    signal: AbortSignal,
  ) {
    this.#kube = kube;
    this.#objects = objects;
    this.#synthesis = synthesis;
    this.#services = services;
    this.#signal = signal;
  }

  static async of(
    kube: Kube,
    synthesis: Synthesis,
    services: readonly SavedService[],
    signal: AbortSignal,
  ): Promise<Volumes> {
    return new Volumes(kube, await connect(kube.cluster), synthesis, services, signal);
  }

  /** Claims that are there already. */
  async present(): Promise<readonly string[]> {
    const found = await Promise.all(
      this.#services.map(async (service) => {
        const { claim } = volumeRestore(this.#synthesis, service);
        return (await this.#objects.tryGet(refOf(claim), this.#signal)) === undefined ? [] : [claim.metadata.name];
      }),
    );
    return found.flat();
  }

  /** Makes each claim, and a Pod that has it. */
  async open(): Promise<void> {
    for (const service of this.#services) {
      const { claim, pod } = volumeRestore(this.#synthesis, service);
      await this.#objects.apply(refOf(claim), jsonOf(claim), OWNER, this.#signal);
      await this.#objects.apply(refOf(pod), jsonOf(pod), OWNER, this.#signal);
    }
    for (const service of this.#services) {
      const { namespace } = service;
      const ready = ['wait', `--namespace=${namespace}`, '--for=condition=Ready', `--timeout=${READY_SECONDS}s`];
      await this.#kube.text([...ready, '--request-timeout=0', `pod/restore-${service.name}`]);
    }
  }

  /** The next bytes of a service's tar. */
  async write(name: string, bytes: Buffer): Promise<void> {
    const known = this.#inputs.get(name);
    const input = known ?? new PodInput(this.#kube, this.#place(name), this.#script(name, UNPACK), this.#signal);
    this.#inputs.set(name, input);
    await input.write(bytes);
  }

  /** Lets what was written be the services' folders, and removes the Pods. */
  async commit(): Promise<void> {
    for (const { name } of this.#services) await this.#inputs.get(name)?.end();
    for (const { name } of this.#services) {
      await runInPod(this.#kube, this.#place(name), this.#script(name, COMMIT), this.#signal);
    }
    await this.close();
  }

  /** Removes the Pods. Claims stay. */
  async close(): Promise<void> {
    for (const service of this.#services) {
      await this.#objects.delete(refOf(volumeRestore(this.#synthesis, service).pod), 'Background');
    }
  }

  #place(name: string): { readonly namespace: string; readonly pod: string } {
    return { namespace: this.#service(name).namespace, pod: `restore-${name}` };
  }

  #script(name: string, script: string): readonly string[] {
    return ['/bin/sh', '-c', script, 'restore', this.#service(name).backup.folder];
  }

  #service(name: string): SavedService {
    const service = this.#services.find((each) => each.name === name);
    if (service !== undefined) return service;
    throw new DelosError('ERR_BACKUP', `the backup has ${name}, which this configuration does not run`, {
      hint: 'restore with the configuration of the backup, or one that has the same services',
    });
  }
}

/** Manifests are data. */
const jsonOf = (manifest: Manifest): JsonObject => jsonObject.parse(JSON.parse(JSON.stringify(manifest)));
const jsonObject = z.record(z.string(), z.json());
type JsonObject = z.infer<typeof jsonObject>;

function refOf({ apiVersion, kind, metadata }: Manifest): ObjectRef {
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace };
}
