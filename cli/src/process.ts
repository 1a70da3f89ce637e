import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/**
 * Runs a program on our own streams. Signals reach it by the terminal's process group, so ours only wait for its end.
 *
 * @returns its exit code; 128 + n where signal n ended it, as shells have it
 */
export function passThrough(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 1 : constants.signals[signal])));
  });
}

/** stdout of a program. @throws Error when it does not end with 0 */
export async function capture(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await exec(command, args, { env: { ...process.env, ...env }, maxBuffer: 256 * 2 ** 20 });
  return stdout;
}
