import { LOG_APPENDED, type Notifications } from '../db/notifications.ts';

/** Recent bytes kept for one followed job. */
const TAIL_BYTES = 256 * 1024;

interface Piece {
  readonly attempt: number;
  readonly start: number;
  readonly bytes: Buffer;
}

interface Followed {
  readonly wakers: Set<() => void>;
  pieces: Piece[];
  size: number;
}

/**
 * Who follows which job's log in this process, and the newest bytes of those, so that a follower who is up to date
 * needs no query. Anything older is read from the archive; followers are also woken for jobs that another replica serves.
 */
export class LogTails {
  readonly #followed = new Map<string, Followed>();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(notifications: Notifications) {
    this.#unsubscribe = [
      notifications.on(LOG_APPENDED, (payload) => this.#wake(jobOf(payload))),
      notifications.onJobChanged(({ id }) => this.#wake(id)),
      notifications.onRenewed(() => {
        for (const id of this.#followed.keys()) this.#wake(id);
      }),
    ];
  }

  /** Calls `wake` when there may be something new. @returns a function that ends it. */
  follow(jobId: string, wake: () => void): () => void {
    const entry = this.#followed.get(jobId) ?? { wakers: new Set(), pieces: [], size: 0 };
    this.#followed.set(jobId, entry);
    entry.wakers.add(wake);
    return () => {
      entry.wakers.delete(wake);
      if (entry.wakers.size === 0) this.#followed.delete(jobId);
    };
  }

  /** Bytes that were just archived. */
  publish(jobId: string, piece: Piece): void {
    const entry = this.#followed.get(jobId);
    if (entry === undefined) return;
    entry.pieces.push(piece);
    entry.size += piece.bytes.length;
    while (entry.size > TAIL_BYTES && entry.pieces.length > 1) entry.size -= entry.pieces.shift()?.bytes.length ?? 0;
    this.#wake(jobId);
  }

  /** The piece that begins at exactly this place, where it is still here. */
  tryPiece(jobId: string, attempt: number, start: number): Buffer | undefined {
    return this.#followed.get(jobId)?.pieces.find((piece) => piece.attempt === attempt && piece.start === start)?.bytes;
  }

  close(): void {
    for (const end of this.#unsubscribe) end();
    this.#followed.clear();
  }

  #wake(jobId: string | undefined): void {
    if (jobId === undefined) return;
    for (const wake of this.#followed.get(jobId)?.wakers ?? []) wake();
  }
}

function jobOf(payload: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(payload);
    if (typeof parsed === 'object' && parsed !== null && 'job' in parsed && typeof parsed.job === 'string') {
      return parsed.job;
    }
  } catch {
    // Not ours.
  }
  return undefined;
}
