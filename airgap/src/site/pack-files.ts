import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import type { Digest } from '../format/digest.ts';
import { PACKS_FOLDER } from '../format/index-schema.ts';
import { packFile } from '../format/tar.ts';
import { type Pieces, piecesOf } from '../read/pieces.ts';
import type { Span } from './import-plan.ts';

/** Reads stretches of packs, each file opened once. */
export class PackFiles {
  readonly #folder: string;
  readonly #open = new Map<Digest, Promise<FileHandle>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The bytes of these stretches from `start` on, at most `length` of them. @throws DelosError ERR_BUNDLE_IMPORT */
  async *read(spans: readonly Span[], start: number, length: number, pieces: Pieces = 'kept'): AsyncGenerator<Buffer> {
    let [skip, left] = [start, length];
    for (const { pack, at, size } of spans) {
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const handle = await this.#file(pack);
      const wanted = Math.min(size - skip, left);
      let got = 0;
      for await (const piece of this.#told(pack, piecesOf(handle, at + skip, wanted, pieces))) {
        got += piece.length;
        yield piece;
      }
      if (got < wanted) throw this.#lost(pack, new Error('it ends too early'));
      left -= wanted;
      skip = 0;
      if (left === 0) return;
    }
  }

  /** A short blob as a whole. */
  async whole(spans: readonly Span[]): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.read(spans, 0, Number.MAX_SAFE_INTEGER)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) await opening.then((handle) => handle.close()).catch(() => undefined);
  }

  async *#told(pack: Digest, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* pieces;
    } catch (cause) {
      throw this.#lost(pack, cause);
    }
  }

  #file(pack: Digest): Promise<FileHandle> {
    const known = this.#open.get(pack);
    if (known !== undefined) return known;
    const opening = open(join(this.#folder, PACKS_FOLDER, packFile(pack)), 'r').catch((cause: unknown) => {
      throw this.#lost(pack, cause);
    });
    this.#open.set(pack, opening);
    return opening;
  }

  #lost(pack: Digest, cause: unknown): DelosError {
    const file = join(this.#folder, PACKS_FOLDER, packFile(pack));
    return new DelosError(
      'ERR_BUNDLE_IMPORT',
      `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: 'put the medium in again; the same command goes on where this one stopped',
        where: { file },
        cause,
      },
    );
  }
}
