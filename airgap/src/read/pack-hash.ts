import { createHash, type Hash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Digest } from '../format/digest.ts';
import { READ_BYTES } from './pieces.ts';

/** Buffers of a hash beside: one is read into, one is looked at here, and the others wait to be hashed, while the other thread waits for its core. */
const SLOTS = 8;

/** Hashes a pack, and lends the buffers that it is read into. */
export interface PackHash {
  /** A buffer that nobody uses. */
  lend(): Promise<Buffer>;
  /** Hashes its first bytes. It stays as it is until it is given back. */
  take(buffer: Buffer, length: number): void;
  giveBack(buffer: Buffer): void;
  /** Digest of all since the last digest. */
  digest(): Promise<Digest>;
  close(): Promise<void>;
}

/** In this thread: two hashes of each byte, one after the other. */
export class HashHere implements PackHash {
  readonly #free: Buffer[] = [Buffer.allocUnsafe(READ_BYTES), Buffer.allocUnsafe(READ_BYTES)];
  #hash: Hash = createHash('sha256');

  async lend(): Promise<Buffer> {
    return this.#free.pop() ?? Buffer.allocUnsafe(READ_BYTES);
  }

  take(buffer: Buffer, length: number): void {
    this.#hash.update(buffer.subarray(0, length));
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
  }

  async digest(): Promise<Digest> {
    const digest: Digest = `sha256:${this.#hash.digest('hex')}`;
    this.#hash = createHash('sha256');
    return digest;
  }

  async close(): Promise<void> {
    // It holds nothing.
  }
}

/** What the worker is told, and answers. */
export type ToWorker = { readonly slot: number; readonly length: number } | 'digest';
export type FromWorker = { readonly slot: number } | { readonly digest: string };

/** In a thread of its own, over memory that both see: a second core takes the second hash. */
export class HashBeside implements PackHash {
  readonly #worker: Worker;
  readonly #slots: readonly Buffer[];
  /** By how many a slot is still used: the worker, and whoever reads here. */
  readonly #used: number[];
  readonly #wake: (() => void)[] = [];
  #digest: ((digest: Digest) => void) | undefined;
  #failed: Error | undefined;

  constructor() {
    const memory = new SharedArrayBuffer(SLOTS * READ_BYTES);
    this.#slots = Array.from({ length: SLOTS }, (_, nth) => Buffer.from(memory, nth * READ_BYTES, READ_BYTES));
    this.#used = this.#slots.map(() => 0);
    this.#worker = new Worker(new URL('./hash-worker.ts', import.meta.url), { workerData: memory });
    this.#worker.on('message', (message: FromWorker) => {
      if ('digest' in message) this.#digest?.(`sha256:${message.digest}`);
      else this.#release(message.slot);
    });
    this.#worker.on('error', (error: Error) => {
      this.#failed = error;
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  async lend(): Promise<Buffer> {
    for (;;) {
      if (this.#failed !== undefined) throw this.#failed;
      const free = this.#used.indexOf(0);
      const slot = this.#slots[free];
      if (slot !== undefined) {
        this.#used[free] = 1;
        return slot;
      }
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  take(buffer: Buffer, length: number): void {
    const slot = this.#slots.indexOf(buffer);
    this.#used[slot] = (this.#used[slot] ?? 0) + 1;
    this.#worker.postMessage({ slot, length } satisfies ToWorker);
  }

  giveBack(buffer: Buffer): void {
    this.#release(this.#slots.indexOf(buffer));
  }

  async digest(): Promise<Digest> {
    const digest = new Promise<Digest>((resolve) => {
      this.#digest = resolve;
    });
    this.#worker.postMessage('digest' satisfies ToWorker);
    return digest;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #release(slot: number): void {
    this.#used[slot] = (this.#used[slot] ?? 1) - 1;
    if (this.#used[slot] === 0) this.#wake.shift()?.();
  }
}
