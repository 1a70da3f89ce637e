import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { detach, every, guard } from '../edge/guard.ts';
import type { DiskWatch } from './disk-watch.ts';
import { Gate } from './gate.ts';
import { JobLog } from './job-log.ts';
import { isFolder, tryPodFolder, tryReaddir } from './log-files.ts';
import type { Uploader } from './uploader.ts';

export interface CollectorProps {
  /** @default /var/log/pods */
  readonly root: string;
  readonly uploader: Uploader;
  readonly log: Logger;
  /** @default the disk is never short */
  readonly disk?: DiskWatch;
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
  #endSweeps: (() => void) | undefined;
  #problem: string | undefined;

  constructor(props: CollectorProps) {
    this.#props = props;
  }

  get size(): number {
    return this.#followed.size;
  }

  /** What keeps it from its work, in words; undefined where nothing does. */
  get problem(): string | undefined {
    if (this.#problem !== undefined) return this.#problem;
    for (const { jobLog } of this.#followed.values()) if (jobLog.problem !== undefined) return jobLog.problem;
    return undefined;
  }

  async start(): Promise<void> {
    await this.#sweep();
    this.#endSweeps = every(SWEEP_MS, this.#props.log, 'looking for logs', () => this.#sweep());
  }

  async close(): Promise<void> {
    this.#endSweeps?.();
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
    detach(this.#props.log, 'sealing a log', async () => {
      const name = await this.#findFolder(jobId, podUid);
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
    await this.#lookAtDisk();
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

  async #lookAtDisk(): Promise<void> {
    const { disk, log } = this.#props;
    if (await disk?.look()) {
      if (disk?.isShort === true) log.error('this node has hardly any disk left: logs are held back');
      else log.info('this node has disk again: logs are carried on');
    }
    if (disk?.isShort === true) this.#problem = 'the node has hardly any disk left: logs are held back';
  }

  #follow(name: string): Followed | undefined {
    const known = this.#followed.get(name);
    if (known !== undefined) return known;
    const pod = tryPodFolder(name);
    if (pod === undefined) return undefined;
    const { root, uploader, log, disk } = this.#props;
    const path = join(root, name);
    const jobLog = new JobLog({
      pod,
      path,
      uploader,
      gate: this.#gate,
      log,
      isHeld: () => disk?.isShort === true,
    });
    const followed: Followed = { jobLog, path, watcher: undefined, watched: '', goneAt: undefined };
    this.#followed.set(name, followed);
    this.#lookSoon(followed);
    return followed;
  }

  #lookSoon(followed: Followed): void {
    detach(this.#props.log, 'looking at a log', () => this.#look(followed));
  }

  /** Watches the innermost folder that is there, then looks at what may have been written before. */
  async #look(followed: Followed): Promise<void> {
    const { jobLog, path } = followed;
    const target = (await isFolder(jobLog.folder)) ? jobLog.folder : path;
    if (followed.watched !== target && !jobLog.done) {
      followed.watcher?.close();
      followed.watcher = this.#tryWatch(target, () => {
        if (followed.watched === path) this.#lookSoon(followed);
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
      const { log } = this.#props;
      const tell = guard(
        (_type: string, name: string | null) => onEvent(name),
        (error) => log.error({ error, folder }, 'a change of a folder could not be taken'),
      );
      const watcher = watch(folder, { persistent: false }, tell);
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
