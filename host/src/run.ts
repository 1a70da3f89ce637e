import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnGuarded } from './guard.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** Replaces the environment, not adds to it. @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called for each line of stderr as it comes. */
  readonly onLine?: (line: string) => void;
  /** Called for each line of stdout as it comes. */
  readonly onOutput?: (line: string) => void;
  /** The child, and what it started, is killed then. @default 3600 */
  readonly limitSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** 127 when there is no such command, 124 when it ran past its limit, 128+n when a signal ended it. */
  readonly code: number;
  /** At most the last 1 MiB. */
  readonly stdout: string;
  /** The last 200 lines. */
  readonly stderr: string;
}

const STDOUT_LIMIT = 2 ** 20;
const STDERR_LINES = 200;

/** Runs a command to its end; it ends with this process at the latest. A failure is a result, not an exception. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { child, kill } = spawnGuarded(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? process.env,
    stdout: 'pipe',
  });
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-STDOUT_LIMIT);
  });
  if (options.onOutput !== undefined && child.stdout !== null)
    createInterface({ input: child.stdout }).on('line', options.onOutput);
  const lines: string[] = [];
  if (child.stderr !== null)
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > STDERR_LINES) lines.shift();
      options.onLine?.(line);
    });
  const timer = new AbortController();
  let late = false;
  delay((options.limitSeconds ?? 3600) * 1000, undefined, { signal: timer.signal, ref: false }).then(
    () => {
      late = true;
      kill();
    },
    () => undefined,
  );
  options.signal?.addEventListener('abort', kill, { once: true });
  try {
    const code = await new Promise<number>((resolve) => {
      child.once('error', (error) => {
        lines.push(error.message);
        resolve(127);
      });
      child.once('close', (status, signal) => resolve(status ?? (signal === 'SIGKILL' ? 137 : 143)));
    });
    return { code: late ? 124 : code, stdout, stderr: lines.join('\n') };
  } finally {
    timer.abort();
    options.signal?.removeEventListener('abort', kill);
  }
}

/** The first absolute path on PATH where an executable of this name lies; undefined where none does. */
export async function tryWhich(
  command: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string | undefined> {
  const { access, constants } = await import('node:fs/promises');
  for (const folder of (env.PATH ?? '').split(':')) {
    if (!folder.startsWith('/')) continue;
    const candidate = `${folder}/${command}`;
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here.
    }
  }
  return undefined;
}
