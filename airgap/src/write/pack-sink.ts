import type { FileHandle } from 'node:fs/promises';
import type { Digest } from '../format/digest.ts';
import type { PackHash } from '../read/pack-hash.ts';

/** So much waits for the disk at most when a pack ends: the disk works while the rest is read and hashed. */
const SYNC_BYTES = 32 * 2 ** 20;

/**
 * Writes a pack. Bytes are gathered into buffers of a MiB, so that headers cost no write of their own; while one is written and hashed,
 * the next is filled.
 */
export class PackSink {
  size = 0;
  readonly #file: FileHandle;
  readonly #hash: PackHash;
  #open: Buffer | undefined;
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> | undefined;
  #unsynced = 0;
  /** The disk tells of a write that it lost once: whoever ends the pack has to know. */
  #lost: unknown;

  constructor(file: FileHandle, hash: PackHash) {
    this.#file = file;
    this.#hash = hash;
  }

  async put(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#open ??= await this.#hash.lend();
      const taken = bytes.copy(this.#open, this.#filled, at);
      at += taken;
      this.#filled += taken;
      this.size += taken;
      if (this.#filled === this.#open.length) await this.#turn();
    }
  }

  /** Once all is written. @returns the digest of all */
  async end(): Promise<Digest> {
    await this.#turn();
    await this.#writing;
    await this.#syncing;
    if (this.#lost !== undefined) throw this.#lost;
    const [digest] = await Promise.all([this.#hash.digest(), this.#file.sync()]);
    return digest;
  }

  async #turn(): Promise<void> {
    const [buffer, length] = [this.#open, this.#filled];
    if (buffer === undefined) return;
    this.#open = undefined;
    this.#filled = 0;
    this.#hash.take(buffer, length);
    await this.#writing;
    this.#writing = this.#write(buffer, length);
    // Whoever waits for it next is told.
    this.#writing.catch(() => undefined);
  }

  async #write(buffer: Buffer, length: number): Promise<void> {
    try {
      for (let at = 0; at < length; ) {
        const { bytesWritten } = await this.#file.write(buffer, at, length - at);
        at += bytesWritten;
      }
      this.#syncBeside(length);
    } finally {
      this.#hash.giveBack(buffer);
    }
  }

  #syncBeside(more: number): void {
    this.#unsynced += more;
    if (this.#unsynced < SYNC_BYTES || this.#syncing !== undefined) return;
    this.#unsynced = 0;
    this.#syncing = this.#file
      .datasync()
      .catch((error: unknown) => {
        this.#lost ??= error;
      })
      .finally(() => {
        this.#syncing = undefined;
      });
  }
}
