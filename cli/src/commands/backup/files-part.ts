import { SAVED_FILES } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { Kube } from '../../instance/kube.ts';
import { outputOf } from './pod-command.ts';
import { readyPod } from './ready-pod.ts';
import { gibibytes } from './sizes.ts';

/** What tar says of a file or folder that it may not read. */
export const UNREADABLE = /: Cannot (open|read|stat).*: Permission denied$|: Warning: Cannot .*: Permission denied$/;

/** Files of projects in a backup: a tar that the service's Pod writes while clients and jobs go on writing. */
export class FilesPart {
  readonly #kube: Kube;
  readonly #pod: string;
  #leftOut = 0;

  private constructor(kube: Kube, pod: string) {
    this.#kube = kube;
    this.#pod = pod;
  }

  /** @returns undefined where the platform has no file storage. @throws DelosError ERR_BACKUP where it has one that does not run */
  static async of(kube: Kube): Promise<FilesPart | undefined> {
    const { name, namespace, labels } = SAVED_FILES;
    const there = await kube.text([
      'get',
      'deployment',
      name,
      `--namespace=${namespace}`,
      '--ignore-not-found',
      '--output=name',
    ]);
    if (there.trim() === '') return undefined;
    const pod = await readyPod(kube, namespace, { labels });
    if (pod !== undefined) return new FilesPart(kube, pod);
    throw new DelosError('ERR_BACKUP', 'the file storage is not ready, so that files of projects cannot be read', {
      hint: '`delos status` says why; --without-files leaves them out',
    });
  }

  /** How many files and folders could not be read, so far. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** @throws DelosError ERR_BACKUP where there is more than `most` bytes, or the Pod is gone */
  async *read(most: number, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { namespace, save } = SAVED_FILES;
    const tell = (line: string): void => {
      if (UNREADABLE.test(line)) this.#leftOut += 1;
    };
    let bytes = 0;
    for await (const piece of outputOf(this.#kube, { namespace, pod: this.#pod }, save, signal, tell)) {
      bytes += piece.length;
      if (bytes > most) {
        throw new DelosError('ERR_BACKUP', `files of projects take more than ${gibibytes(most)}: nothing was written`, {
          hint: 'raise the bound: --most-files 500Gi; or leave them out, --without-files, and save their volume itself',
        });
      }
      yield piece;
    }
  }
}
