import { constants } from 'node:os';
import { $ } from 'zx';

/** A child in our own process group, so that the terminal and its signals are the child's as well. */
const shared = { detached: false, nothrow: true, quiet: true } as const;

/**
 * Runs a program on our own streams. Signals reach it by the terminal's process group, so ours only wait for its end.
 *
 * @returns its exit code; 128 + n where signal n ended it, as shells have it
 */
export async function passThrough(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const options = { ...shared, stdio: 'inherit', env: { ...process.env, ...env } } as const;
  const { exitCode, signal } = await $(options)`exec ${command} ${args}`;
  return exitCode ?? 128 + (signal === null ? 1 : constants.signals[signal]);
}

/** stdout of a program. @throws Error when it does not end with 0 */
export async function capture(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { exitCode, stdout, stderr } = await $({ ...shared, env: { ...process.env, ...env } })`${command} ${args}`;
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}: ${stderr.trim().slice(-500)}`);
  return stdout;
}
