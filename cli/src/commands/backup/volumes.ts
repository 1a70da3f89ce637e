import {
  filesRestore,
  type Manifest,
  RESTORE_FOLDER,
  SAVED_FILES,
  type SavedService,
  type Synthesis,
  type VolumeRestore,
  volumeRestore,
} from '@delos/constructs';
import { DelosError } from '@delos/core';
import { connect, type ObjectClient, type ObjectRef } from '@delos/stacks';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { PodInput, type PodPlace, runInPod } from './pod-command.ts';
import { commitFilesScript, commitScript, unpackFilesScript, unpackScript } from './volume-scripts.ts';

/** Who made the Pods that have a volume. */
export const OWNER = { fieldManager: 'delos-restore' };
export const READY_SECONDS = 300;

/** What brings back a part of a backup. */
interface Restored extends VolumeRestore {
  /** Of the part. */
  readonly name: string;
  /** Objects that are made for it, in this order. */
  readonly made: readonly Manifest[];
  readonly unpack: readonly string[];
  readonly commit: readonly string[];
}

function ofService(synthesis: Synthesis, service: SavedService): Restored {
  const script = (text: string) => ['/bin/sh', '-c', text, 'restore', service.backup.folder];
  const restore = volumeRestore(synthesis, service);
  return {
    name: service.name,
    ...restore,
    made: [restore.claim, restore.pod],
    unpack: script(unpackScript(RESTORE_FOLDER)),
    commit: script(commitScript(RESTORE_FOLDER)),
  };
}

/** @throws DelosError ERR_BACKUP where the platform has no file storage */
function ofFiles(synthesis: Synthesis): Restored {
  const restore = filesRestore(synthesis);
  if (restore === undefined) {
    throw new DelosError('ERR_BACKUP', 'the backup has files of projects, and this configuration has no file storage', {
      hint: 'say in delos.yaml where files are (storage), or leave them out: --without-files',
    });
  }
  return {
    name: SAVED_FILES.name,
    ...restore,
    made: [restore.pod],
    unpack: ['/bin/sh', '-c', unpackFilesScript(RESTORE_FOLDER)],
    commit: ['/bin/sh', '-c', commitFilesScript(RESTORE_FOLDER)],
  };
}

/** The refusal of a backup that has a service which is not run here. */
export const notRun = (name: string): DelosError =>
  new DelosError('ERR_BACKUP', `the backup has ${name}, which this configuration does not run`, {
    hint: 'restore with the configuration of the backup, or one that has the same services',
  });

/** Volumes of services that are not there yet, while a backup is read into them. */
export class Volumes {
  readonly #kube: Kube;
  readonly #objects: ObjectClient;
  readonly #restored: readonly Restored[];
  readonly #signal: AbortSignal;
  readonly #inputs = new Map<string, PodInput>();

  private constructor(kube: Kube, objects: ObjectClient, restored: readonly Restored[], signal: AbortSignal) {
    this.#kube = kube;
    this.#objects = objects;
    this.#restored = restored;
    this.#signal = signal;
  }

  static async of(
    kube: Kube,
    synthesis: Synthesis,
    services: readonly SavedService[],
    signal: AbortSignal,
    { files = false }: { readonly files?: boolean } = {},
  ): Promise<Volumes> {
    const restored = [
      ...services.map((service) => ofService(synthesis, service)),
      ...(files ? [ofFiles(synthesis)] : []),
    ];
    return new Volumes(kube, await connect(kube.cluster), restored, signal);
  }

  /** Claims that are there already. */
  async present(): Promise<readonly string[]> {
    const found = await Promise.all(
      this.#restored
        .flatMap(({ claim, claims }) => claims.map((name) => ({ ...refOf(claim), name })))
        .map(async (ref) => ((await this.#objects.tryGet(ref, this.#signal)) === undefined ? [] : [ref.name])),
    );
    return found.flat();
  }

  /** Makes each claim, and a Pod that has it. The file storage's claim is part of the ground. */
  async open(): Promise<void> {
    for (const object of this.#restored.flatMap(({ made }) => made)) {
      await this.#objects.apply(refOf(object), jsonOf(object), OWNER, this.#signal);
    }
    for (const { namespace, name } of this.#restored.map(({ pod }) => pod.metadata)) {
      const ready = ['wait', `--namespace=${namespace}`, '--for=condition=Ready', `--timeout=${READY_SECONDS}s`];
      await this.#kube.text([...ready, '--request-timeout=0', `pod/${name}`]);
    }
  }

  /** The next bytes of a service's tar. */
  async write(name: string, bytes: Buffer): Promise<void> {
    const input =
      this.#inputs.get(name) ?? new PodInput(this.#kube, this.#place(name), this.#of(name).unpack, this.#signal);
    this.#inputs.set(name, input);
    await input.write(bytes);
  }

  /** Lets what was written be the services' folders, and removes the Pods. */
  async commit(): Promise<void> {
    for (const { name } of this.#restored) await this.#inputs.get(name)?.end();
    for (const { name, commit } of this.#restored) {
      await runInPod(this.#kube, this.#place(name), commit, this.#signal);
    }
    for (const { pod } of this.#restored) await this.#objects.delete(refOf(pod), 'Background');
  }

  #place(name: string): PodPlace {
    const { namespace = '', name: pod } = this.#of(name).pod.metadata;
    return { namespace, pod };
  }

  #of(name: string): Restored {
    const restored = this.#restored.find((each) => each.name === name);
    if (restored === undefined) throw notRun(name);
    return restored;
  }
}

/** Manifests are data. */
export const jsonOf = (manifest: Manifest): JsonObject => jsonObject.parse(JSON.parse(JSON.stringify(manifest)));
const jsonObject = z.record(z.string(), z.json());
type JsonObject = z.infer<typeof jsonObject>;

/** An object's address at the API. */
export function refOf({ apiVersion, kind, metadata }: Manifest): ObjectRef {
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace };
}
