import { spawn } from 'node:child_process';
import { mkdir, open, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DelosError } from '@delos/core';
import { z } from 'zod';

const holderSchema = z.object({ pid: z.number(), host: z.string(), purpose: z.string(), since: z.string() });
export type FileLockHolder = z.infer<typeof holderSchema>;

export interface FileLockOptions {
  /** What the lock is held for, shown to those who wait. */
  readonly purpose: string;
  /** Told about every second while another holds the lock. */
  readonly onWait?: (holder: FileLockHolder | undefined, secondsSinceHeartbeat: number) => void;
  /** @default 3600 */
  readonly limitSeconds?: number;
}

const HEARTBEAT_MS = 2000;

/**
 * Runs `work` while holding an exclusive lock on a file. The kernel's flock(2) decides, through flock(1) from
 * util-linux, since Node has none: a holder that is killed frees it at that moment, so that nobody edits locks by
 * hand. Holder and heartbeat (the file's mtime) are written for people and for the message of those who wait.
 * @throws DelosError ERR_LOCKED when the limit is reached, ERR_TOOL_UNAVAILABLE without flock(1)
 */
export async function withFileLock<T>(path: string, options: FileLockOptions, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  await (await open(path, 'a')).close();
  const release = await acquire(path, options);
  let beat: NodeJS.Timeout | undefined;
  try {
    const holder: FileLockHolder = {
      pid: process.pid,
      host: hostname(),
      purpose: options.purpose,
      since: new Date().toISOString(),
    };
    await writeFile(path, JSON.stringify(holder));
    beat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => undefined);
    }, HEARTBEAT_MS);
    beat.unref();
    return await work();
  } finally {
    clearInterval(beat);
    await release();
  }
}

/** Who holds or last held the lock; undefined when nobody ever did. */
export async function tryFileLockHolder(path: string): Promise<FileLockHolder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function acquire(path: string, options: FileLockOptions): Promise<() => Promise<void>> {
  // The child holds the lock until its stdin ends, which it does when this process ends in whatever way.
  const child = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const state = new Promise<'held' | 'missing' | 'ended'>((resolve) => {
    child.once('error', () => resolve('missing'));
    child.once('close', () => resolve('ended'));
    child.stdout.once('data', () => resolve('held'));
  });
  child.stdin.on('error', () => undefined);
  const started = performance.now();
  const limit = (options.limitSeconds ?? 3600) * 1000;
  for (;;) {
    const pause = new AbortController();
    const outcome = await Promise.race([
      state,
      delay(1000, 'waiting' as const, { signal: pause.signal }).catch(() => 'waiting' as const),
    ]);
    pause.abort();
    if (outcome === 'held') {
      return async () => {
        child.stdin.end();
        await ended;
      };
    }
    if (outcome !== 'waiting') {
      throw new DelosError('ERR_TOOL_UNAVAILABLE', 'flock(1), which keeps two runs apart, does not start', {
        hint: 'install util-linux, then run this again',
      });
    }
    const [holder, beat] = await Promise.all([tryFileLockHolder(path), stat(path)]);
    const silent = Math.max(0, Math.round((Date.now() - beat.mtimeMs) / 1000));
    if (performance.now() - started > limit) {
      child.kill();
      const by = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
      throw new DelosError(
        'ERR_LOCKED',
        `${options.purpose}: ${by} has held ${path} since ${holder?.since ?? 'an unknown time'} (limit ${limit / 1000} s)`,
        { hint: 'wait for it, or end that process; the lock is freed with it' },
      );
    }
    options.onWait?.(holder, silent);
  }
}
