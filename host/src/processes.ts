import { type ExecFileException, execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that cannot be confused with a later one of the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot (field 22 of /proc/PID/stat). */
  readonly start: string;
}

export function tryIdentify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in brackets, may hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const start = fields[19];
    if (start === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, start };
  } catch {
    return undefined;
  }
}

export function isAlive(identity: ProcessIdentity | undefined): boolean {
  return identity !== undefined && tryIdentify(identity.pid)?.start === identity.start;
}

export function self(): ProcessIdentity {
  return tryIdentify(process.pid) ?? { pid: process.pid, start: '0' };
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

export function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** Live processes whose arguments hold this word exactly. */
export function findByArgument(word: string): ProcessIdentity[] {
  return pids()
    .filter((pid) => pid !== process.pid && commandLine(pid).includes(word))
    .flatMap((pid) => tryIdentify(pid) ?? []);
}

/** The PID namespace that a process is in, e.g. `pid:[4026532281]`. */
export function tryPidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Every process whose PID namespace is this one. */
export function processesIn(namespace: string): ProcessIdentity[] {
  return pids()
    .filter((pid) => tryPidNamespace(pid) === namespace)
    .flatMap((pid) => tryIdentify(pid) ?? []);
}

/** SIGKILL, if it is still that process. */
export function kill(identity: ProcessIdentity, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** True once `condition` holds; false when `milliseconds` have passed. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, milliseconds: number, interval = 50) {
  const limit = performance.now() + milliseconds;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > limit) return false;
    await sleep(interval);
  }
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, with a limit. A failure is a result, not an exception. */
export function tryCommand(
  file: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeout?: number; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { timeout: options.timeout ?? 30_000, maxBuffer: 32 << 20, env: options.env ?? process.env },
      (error: ExecFileException | null, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
        resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** @throws Error with what the command said. */
export async function command(
  file: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeout?: number; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const result = await tryCommand(file, args, options);
  if (result.code !== 0) {
    throw new Error(`${[file, ...args].join(' ')} ended with ${result.code}: ${result.stderr.trim()}`);
  }
  return result.stdout;
}
