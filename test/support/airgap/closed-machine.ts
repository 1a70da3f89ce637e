import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { REPOSITORY } from '../docs/compiler.ts';

/** What of this machine an installation on a closed one must not see: its caches and package tools' stores. */
const HIDDEN = [
  ...['.cache', '.npm', '.m2', '.pulumi', '.config', 'go'].map((name) => join(homedir(), name)),
  ...['/var/cache/apt', '/var/lib/apt/lists', join(REPOSITORY, 'node_modules')],
];

/** Makes a key, the list that a site pins, a bundle of this checkout, and a copy of the checkout without its packages. */
export async function bundleOfCheckout(work: string): Promise<void> {
  const delos = (...args: readonly string[]): Promise<string> =>
    expectOk(execute([join(REPOSITORY, 'delos'), 'bundle', ...args], { timeout: 1800 }));
  const key = join(work, 'signing.key');
  await delos('new-key', key);
  await delos('keys', '--add', `${key}.pub`, '--until', '2100-01-01', '--out', join(work, 'keys.json'));
  await delos('create', '--out', join(work, 'bundle'), '--sign', key);
  await rm(key);
  const checkout = join(work, 'checkout');
  await mkdir(checkout);
  const copy = 'git ls-files -z | tar -c --null --files-from=- --ignore-failed-read | tar -x -C "$1"';
  await expectOk(execute(['sh', '-c', copy, 'copy', checkout], { cwd: REPOSITORY }));
}

/** Runs a script of this folder in namespaces of its own. */
export function onClosedMachine(
  script: string,
  work: string,
  instance: string,
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const inside = ['unshare', '--net', '--mount', '--propagation', 'private', 'bash', join(import.meta.dirname, script)];
  return execute([...inside, work, instance, ...HIDDEN], { timeout: 2400, env: { ...process.env, ...env } });
}
