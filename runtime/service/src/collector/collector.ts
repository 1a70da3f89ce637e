import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Gate } from './gate.ts';
import { JobLog } from './job-log.ts';
import { isFolder, tryPodFolder, tryReaddir } from './log-files.ts';
import type { Uploader } from './uploader.ts';

export interface CollectorProps {
  /** @default /var/log/pods */
  readonly root: string;
  readonly uploader: Uploader;
  readonly log: Logger;
}

/** The kernel's events may be lost (a full queue, a folder that was there before it was watched). */
const SWEEP_MS = 1_000;
/** Logs that are carried at once: two pieces of 1 MiB each are in memory for one. */
const CARRIED_AT_ONCE = 6;

/** A log whose folder is gone may still be sealed for so long: what was read of it is known here alone. */
const KEPT_MS = 15 * 60_000;

interface Followed {
  readonly jobLog: JobLog;
  readonly path: string;
  watcher: FSWatcher | undefined;
  /** The folder that is watched: the Pod's until the container's is there. */
  watched: string;
  goneAt: number | undefined;
}

/** Finds the logs of a node's jobs and follows them, until they are sealed or their Pod's folder is gone. */
export class Collector {
  readonly #props: CollectorProps;
  readonly #gate = new Gate(CARRIED_AT_ONCE);
  readonly #followed = new Map<string, Followed>();
  #rootWatcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem: string | undefined;

  constructor(props: CollectorProps) {
    this.#props = props;
  }

  get size(): number {
    return this.#followed.size;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    await this.#sweep();
    this.#timer = setInterval(() => void this.#sweep(), SWEEP_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#rootWatcher?.close();
    await Promise.all(
      [...this.#followed.values()].map(async ({ jobLog, watcher }) => {
        watcher?.close();
        await jobLog.close();
      }),
    );
  }

  /** Reads a job's log to its end and seals it, also where its folder is not there (any more). */
  seal(jobId: string, podUid: string, attempts: number): void {
    const known = [...this.#followed.entries()].find(([name]) => name.endsWith(`_${jobId}_${podUid}`));
    if (known !== undefined) {
      known[1].jobLog.seal(attempts);
      return;
    }
    void this.#findFolder(jobId, podUid).then((name) => {
      this.#follow(name ?? `gone_${jobId}_${podUid}`)?.jobLog.seal(attempts);
    });
  }

  async #findFolder(jobId: string, podUid: string): Promise<string | undefined> {
    return (await tryReaddir(this.#props.root)).find((name) => name.endsWith(`_${jobId}_${podUid}`));
  }

  async #sweep(): Promise<void> {
    const { root } = this.#props;
    if (!(await isFolder(root))) {
      this.#problem = `${root} is not there`;
      return;
    }
    this.#problem = undefined;
    this.#watchRoot();
    const names = new Set(await tryReaddir(root));
    for (const name of names) this.#follow(name);
    for (const [name, followed] of this.#followed) {
      followed.goneAt = names.has(name) ? undefined : (followed.goneAt ?? Date.now());
      const over = followed.goneAt !== undefined && (followed.jobLog.done || Date.now() - followed.goneAt > KEPT_MS);
      if (over) {
        this.#followed.delete(name);
        followed.watcher?.close();
        await followed.jobLog.close();
      } else await this.#look(followed);
    }
  }

  #follow(name: string): Followed | undefined {
    const known = this.#followed.get(name);
    if (known !== undefined) return known;
    const pod = tryPodFolder(name);
    if (pod === undefined) return undefined;
    const { root, uploader, log } = this.#props;
    const path = join(root, name);
    const jobLog = new JobLog({ pod, path, uploader, gate: this.#gate, log });
    const followed: Followed = { jobLog, path, watcher: undefined, watched: '', goneAt: undefined };
    this.#followed.set(name, followed);
    void this.#look(followed);
    return followed;
  }

  /** Watches the innermost folder that is there, then looks at what may have been written before. */
  async #look(followed: Followed): Promise<void> {
    const { jobLog, path } = followed;
    const target = (await isFolder(jobLog.folder)) ? jobLog.folder : path;
    if (followed.watched !== target && !jobLog.done) {
      followed.watcher?.close();
      followed.watcher = this.#tryWatch(target, () => {
        if (followed.watched === path) void this.#look(followed);
        else jobLog.wake();
      });
      followed.watched = followed.watcher === undefined ? '' : target;
      // Made between the look and the watch.
      if (target === path && (await isFolder(jobLog.folder))) return this.#look(followed);
    }
    if (jobLog.done) followed.watcher?.close();
    jobLog.wake();
  }

  #watchRoot(): void {
    this.#rootWatcher ??= this.#tryWatch(this.#props.root, (name) => {
      if (name !== null) this.#follow(name);
    });
  }

  #tryWatch(folder: string, onEvent: (name: string | null) => void): FSWatcher | undefined {
    try {
      const watcher = watch(folder, { persistent: false }, (_type, name) => onEvent(name));
      // Also when the folder is deleted; the sweep finds what is there then.
      watcher.on('error', () => {
        watcher.close();
        if (this.#rootWatcher === watcher) this.#rootWatcher = undefined;
      });
      return watcher;
    } catch (error) {
      this.#props.log.debug({ error, folder }, 'folder cannot be watched; the sweep looks at it');
      return undefined;
    }
  }
}
