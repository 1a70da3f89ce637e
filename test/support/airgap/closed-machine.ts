import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { REPOSITORY } from '../docs/compiler.ts';

/** What of this machine an installation on a closed one must not see: its caches and package tools' stores. */
const HIDDEN = [
  ...['.cache', '.npm', '.m2', '.pulumi', '.config', 'go'].map((name) => join(homedir(), name)),
  ...['/var/cache/apt', '/var/lib/apt/lists', join(REPOSITORY, 'node_modules')],
];

/** A checkout of a later release, of which a delta is made. */
export interface NextRelease {
  /** Its folder in the work folder; the delta is beside it, `NAME-bundle`. */
  readonly name: string;
  readonly version: string;
  /** Files of it that are otherwise. */
  readonly changes: Readonly<Record<string, (text: string) => string>>;
}

/**
 * Makes the list of keys that a site pins, a bundle of this checkout, and a copy of the checkout without its packages; and deltas of
 * later releases. The key that has signed them is gone then.
 */
export async function bundleOfCheckout(work: string, later: readonly NextRelease[] = []): Promise<void> {
  const delos = (root: string, ...args: readonly string[]): Promise<string> =>
    expectOk(execute([join(root, 'delos'), 'bundle', ...args], { timeout: 1800 }));
  const key = join(work, 'signing.key');
  await delos(REPOSITORY, 'new-key', key);
  await delos(REPOSITORY, 'keys', '--add', `${key}.pub`, '--until', '2100-01-01', '--out', join(work, 'keys.json'));
  await delos(REPOSITORY, 'create', '--out', join(work, 'bundle'), '--sign', key);
  const checkout = join(work, 'checkout');
  await mkdir(checkout);
  const copy = 'git ls-files -z | tar -c --null --files-from=- --ignore-failed-read | tar -x -C "$1"';
  await expectOk(execute(['sh', '-c', copy, 'copy', checkout], { cwd: REPOSITORY }));
  for (const { name, version, changes } of later) {
    const folder = join(work, name);
    await cp(checkout, folder, { recursive: true });
    for (const [file, change] of Object.entries({ ...changes, ...releaseOf(version) })) {
      const text = await readFile(join(folder, file), 'utf8');
      const changed = change(text);
      if (changed === text) throw new Error(`${file} is not as the test expects it`);
      await writeFile(join(folder, file), changed);
    }
    // Packages of its own: their links lead to its own rooms.
    const packages = join(folder, 'node_modules');
    await expectOk(execute(['cp', '-al', join(REPOSITORY, 'node_modules'), packages], { timeout: 300 }));
    const since = ['--since', join(work, 'bundle/bundle.json')];
    await delos(folder, 'create', '--out', join(work, `${name}-bundle`), '--sign', key, ...since);
    await rm(packages, { recursive: true });
  }
  await rm(key);
}

const releaseOf = (version: string): NextRelease['changes'] => ({
  'core/src/release.ts': (text) => text.replace(/RELEASE = '[^']+'/, `RELEASE = '${version}'`),
  'docs/releases.yaml': (text) => text.replace(/^upgradesFrom: \[/m, `upgradesFrom: [0.2.0, `),
});

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
