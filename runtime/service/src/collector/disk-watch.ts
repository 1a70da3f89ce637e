import { statfs } from 'node:fs/promises';

export interface DiskWatchProps {
  /** A folder on the disk. */
  readonly folder: string;
  /** Bytes. */
  readonly minFree: number;
  /** @default asks the file system */
  readonly free?: (folder: string) => Promise<number>;
}

/** Once held, more must be free than the least: what was held would fill it up again at once. */
const RELIEF = 1.1;

/**
 * Whether a node's disk is short. Logs are then brought to the database no more, which is the first thing to give way: on
 * a small cluster the database and etcd lie on this very disk. The kubelet goes on rotating what is on the node.
 */
export class DiskWatch {
  readonly #props: DiskWatchProps;
  #short = false;

  constructor(props: DiskWatchProps) {
    this.#props = props;
  }

  get isShort(): boolean {
    return this.#short;
  }

  /** @returns true where that has changed */
  async look(): Promise<boolean> {
    const { folder, minFree, free = freeOf } = this.#props;
    const before = this.#short;
    try {
      this.#short = (await free(folder)) < (before ? minFree * RELIEF : minFree);
    } catch {
      // A folder that is not there yet is the collector's own trouble, which it tells.
    }
    return this.#short !== before;
  }
}

async function freeOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
