import {
  type Manifest,
  RESTORE_FOLDER,
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
import { commitScript, unpackScript } from './volume-scripts.ts';

const OWNER = { fieldManager: 'delos-restore' };
const READY_SECONDS = 300;

/** A service, and what brings its volume back. */
interface Restored extends VolumeRestore {
  readonly service: SavedService;
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
  ): Promise<Volumes> {
    const restored = services.map((service) => ({ service, ...volumeRestore(synthesis, service) }));
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

  /** Makes each claim, and a Pod that has it. */
  async open(): Promise<void> {
    for (const object of this.#restored.flatMap(({ claim, pod }) => [claim, pod])) {
      await this.#objects.apply(refOf(object), jsonOf(object), OWNER, this.#signal);
    }
    for (const { namespace, name } of this.#restored.map(({ pod }) => pod.metadata)) {
      const ready = ['wait', `--namespace=${namespace}`, '--for=condition=Ready', `--timeout=${READY_SECONDS}s`];
      await this.#kube.text([...ready, '--request-timeout=0', `pod/${name}`]);
    }
  }

  /** The next bytes of a service's tar. */
  async write(name: string, bytes: Buffer): Promise<void> {
    const known = this.#inputs.get(name);
    const input =
      known ??
      new PodInput(this.#kube, this.#place(name), this.#script(name, unpackScript(RESTORE_FOLDER)), this.#signal);
    this.#inputs.set(name, input);
    await input.write(bytes);
  }

  /** Lets what was written be the services' folders, and removes the Pods. */
  async commit(): Promise<void> {
    for (const { service } of this.#restored) await this.#inputs.get(service.name)?.end();
    for (const { service } of this.#restored) {
      const script = this.#script(service.name, commitScript(RESTORE_FOLDER));
      await runInPod(this.#kube, this.#place(service.name), script, this.#signal);
    }
    for (const { pod } of this.#restored) await this.#objects.delete(refOf(pod), 'Background');
  }

  #place(name: string): PodPlace {
    const { namespace = '', name: pod } = this.#of(name).pod.metadata;
    return { namespace, pod };
  }

  #script(name: string, script: string): readonly string[] {
    return ['/bin/sh', '-c', script, 'restore', this.#of(name).service.backup.folder];
  }

  #of(name: string): Restored {
    const restored = this.#restored.find(({ service }) => service.name === name);
    if (restored === undefined) throw notRun(name);
    return restored;
  }
}

/** Manifests are data. */
const jsonOf = (manifest: Manifest): JsonObject => jsonObject.parse(JSON.parse(JSON.stringify(manifest)));
const jsonObject = z.record(z.string(), z.json());
type JsonObject = z.infer<typeof jsonObject>;

function refOf({ apiVersion, kind, metadata }: Manifest): ObjectRef {
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace };
}
