import { type Manifest, type SavedService, type Synthesis, volumeRestore } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { connect, type ObjectClient } from '@delos/stacks';
import type { Kube } from '../../instance/kube.ts';
import { outputOf, PodInput, type PodPlace, runInPod } from '../backup/pod-command.ts';
import { jsonOf, OWNER, READY_SECONDS, refOf } from '../backup/volumes.ts';
import { beginScript, doneScript, fillScript, giveUpScript, recoverScript, takeScript } from './scripts.ts';

/** The volume of a database whose Pods are gone, in a Pod that has PostgreSQL and waits. */
export class DatabaseVolume {
  readonly #kube: Kube;
  readonly #objects: ObjectClient;
  readonly #folder: string;
  readonly #pod: Manifest;
  readonly #signal: AbortSignal;

  private constructor(
    kube: Kube,
    objects: ObjectClient,
    given: { pod: Manifest; folder: string },
    signal: AbortSignal,
  ) {
    this.#kube = kube;
    this.#objects = objects;
    this.#pod = given.pod;
    this.#folder = given.folder;
    this.#signal = signal;
  }

  static async of(
    kube: Kube,
    synthesis: Synthesis,
    service: SavedService,
    signal: AbortSignal,
  ): Promise<DatabaseVolume> {
    const { pod } = volumeRestore(synthesis, service);
    return new DatabaseVolume(kube, await connect(kube.cluster), { pod, folder: service.backup.folder }, signal);
  }

  /** Makes the Pod anew: what ran in one of an interrupted run is gone with it. */
  async open(): Promise<void> {
    await this.close();
    await this.#objects.apply(refOf(this.#pod), jsonOf(this.#pod), OWNER, this.#signal);
    const { namespace, pod } = this.#place;
    const ready = ['wait', `--namespace=${namespace}`, '--for=condition=Ready', `--timeout=${READY_SECONDS}s`];
    await this.#kube.text([...ready, '--request-timeout=0', `pod/${pod}`]);
  }

  /** Removes the Pod, and waits until it is gone. */
  async close(): Promise<void> {
    const { namespace, pod } = this.#place;
    const gone = ['delete', 'pod', pod, `--namespace=${namespace}`, '--ignore-not-found', '--timeout=60s'];
    await this.#kube.text([...gone, '--request-timeout=0']);
  }

  /** Whether an interrupted run had recovered the database. */
  async recovered(): Promise<boolean> {
    let said = '';
    for await (const bytes of outputOf(this.#kube, this.#place, this.#command(doneScript()), this.#signal)) {
      said += bytes.toString();
    }
    return said.trim() === 'done';
  }

  begin(): Promise<void> {
    return this.#run(beginScript());
  }

  /**
   * Unpacks a tar into a part of what is recovered.
   * @param wanted bytes of the tar, where they are known
   * @throws DelosError ERR_BACKUP for one that is cut off
   */
  async fill(
    part: 'data' | 'log',
    tar: AsyncIterable<Buffer>,
    onBytes: (bytes: number) => void,
    wanted?: number,
  ): Promise<void> {
    const input = new PodInput(this.#kube, this.#place, this.#command(fillScript(), part), this.#signal);
    let bytes = 0;
    let last = Buffer.alloc(0);
    for await (const piece of tar) {
      bytes += piece.length;
      last = Buffer.concat([last, piece.subarray(-END_OF_TAR)]).subarray(-END_OF_TAR);
      await input.write(piece);
      onBytes(bytes);
    }
    await input.end();
    const whole = last.length === END_OF_TAR && last.every((byte) => byte === 0);
    if (whole && (wanted === undefined || wanted === bytes)) return;
    throw new DelosError('ERR_BACKUP', `the archive gave ${bytes} bytes of ${part}, and these are not all`, {
      hint: 'the connection to its Pod was cut: run the same command again',
    });
  }

  recover(time: string): Promise<void> {
    return this.#run(recoverScript(), time);
  }

  take(): Promise<void> {
    return this.#run(takeScript());
  }

  giveUp(): Promise<void> {
    return this.#run(giveUpScript());
  }

  async #run(script: string, ...args: readonly string[]): Promise<void> {
    await runInPod(this.#kube, this.#place, this.#command(script, ...args), this.#signal);
  }

  #command(script: string, ...args: readonly string[]): readonly string[] {
    return ['/bin/sh', '-c', script, 'restore', this.#folder, ...args];
  }

  get #place(): PodPlace {
    const { namespace = '', name: pod } = this.#pod.metadata;
    return { namespace, pod };
  }
}

/** A tar ends with two blocks of zeros (POSIX, pax, "ustar Interchange Format"). */
const END_OF_TAR = 1024;
