import { open, stat } from 'node:fs/promises';
import { type LogFile, logFiles, tryReadHead } from './log-files.ts';

interface Known {
  readonly digest: string;
  /** Time of its first line. */
  readonly time: string;
  /** Bytes that it had when it was looked at last. */
  size: number;
}

/**
 * The files of one attempt that were seen, and how large they were: while logs cannot be carried, their node rotates them
 * away, and this says how much that was. Looked at more often than a kubelet rotates (ten seconds), it misses none.
 */
export class FileLedger {
  readonly #folder: string;
  readonly #attempt: number;
  readonly #known = new Map<string, Known>();

  constructor(folder: string, attempt: number) {
    this.#folder = folder;
    this.#attempt = attempt;
  }

  /** Notes what is there now. */
  async look(): Promise<void> {
    for (const file of await logFiles(this.#folder, this.#attempt)) {
      const head = await tryReadHead(file);
      const size = await sizeOf(file);
      if (head === undefined || size === undefined) continue;
      const known = this.#known.get(head.digest);
      if (known === undefined) this.#known.set(head.digest, { ...head, size });
      else known.size = Math.max(known.size, size);
    }
  }

  /** Bytes of all that was seen. */
  get bytes(): number {
    return [...this.#known.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Bytes between a place in one file and the beginning of another.
   * @param before digest of the other's first line; undefined: to the end of all that was seen
   * @returns undefined where the first was never seen
   */
  bytesBetween(digest: string, offset: number, before: string | undefined): number | undefined {
    const from = this.#known.get(digest);
    const to = before === undefined ? undefined : this.#known.get(before);
    if (from === undefined || (before !== undefined && to === undefined)) return undefined;
    const between = [...this.#known.values()].filter(
      ({ time }) => time > from.time && (to === undefined || time < to.time),
    );
    return Math.max(0, from.size - offset) + between.reduce((sum, { size }) => sum + size, 0);
  }
}

/** Bytes before compression: gzip ends with them, in four bytes. */
async function sizeOf(file: LogFile): Promise<number | undefined> {
  try {
    const { size } = await stat(file.path);
    if (!file.compressed) return size;
    const handle = await open(file.path, 'r');
    try {
      const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, size - 4);
      return buffer.readUInt32LE(0);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
