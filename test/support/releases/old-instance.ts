import { join } from 'node:path';
import { z } from 'zod';
import { type CommandOptions, type CommandResult, execute, expectOk } from '../../../peers/src/command.ts';
import { delos, TEST_INSTANCE, type UpDocument, upDocument } from '../instance.ts';
import { killedAfter } from '../killed-command.ts';

/** An instance of its own that one release has brought up, and another takes over. */
export const OLD_INSTANCE = `${TEST_INSTANCE}-old`;
const CONFIG = join(import.meta.dirname, 'upgrade.yaml');
const UP = ['up', '--config', CONFIG, '--json'];
const LIMIT = { timeout: 1700 };

const withInstance = (options: CommandOptions = {}): CommandOptions => ({
  ...options,
  env: { ...options.env, DELOS_INSTANCE: OLD_INSTANCE },
});

/** The present command, for that instance. */
export const present = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
  delos(args, withInstance(options));

const documentOf = (stdout: string): UpDocument => upDocument.parse(JSON.parse(stdout));

/** `up` of a release, from its own checkout. */
export async function upByRelease(checkout: string): Promise<UpDocument> {
  const { KUBECONFIG: _, ...env } = process.env;
  const options = { ...LIMIT, cwd: checkout, env: { ...env, DELOS_INSTANCE: OLD_INSTANCE } };
  return documentOf(await expectOk(execute([join(checkout, 'delos'), ...UP], options)));
}

/** `up` of the present code. */
export const upNow = async (): Promise<UpDocument> => documentOf(await expectOk(present(UP, LIMIT)));

/** `upgrade` of the present code, with these options. */
export const UPGRADE = ['upgrade', '--offline', '--config', CONFIG, '--json'];

/** `upgrade` of the code in another checkout. */
export const upgradeBy = (checkout: string, ...options: readonly string[]): Promise<CommandResult> => {
  const { KUBECONFIG: _, ...env } = process.env;
  const where = { ...LIMIT, cwd: checkout, env: { ...env, DELOS_INSTANCE: OLD_INSTANCE } };
  return execute([join(checkout, 'delos'), ...UPGRADE, ...options], where);
};

/** A command of the present code, killed with all of its processes some time after it has said something that matches. */
export const untilKilled = (args: readonly string[], said: RegExp, milliseconds: number): Promise<void> =>
  killedAfter(args, said, milliseconds, OLD_INSTANCE);

const uids = z.record(z.string(), z.string());
const KINDS = 'namespaces,persistentvolumeclaims,persistentvolumes,statefulsets,secrets,services';

/** `KIND NAMESPACE/NAME` → uid, of each object whose loss would lose something. */
export async function lastingObjects(): Promise<Readonly<Record<string, string>>> {
  const row = '{.kind} {.metadata.namespace}/{.metadata.name}={.metadata.uid}{"\\n"}';
  const text = await expectOk(
    present(['kubectl', 'get', KINDS, '-A', '-o', `jsonpath={range .items[*]}${row}{end}`], { timeout: 60 }),
  );
  return uids.parse(
    Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split('=')),
    ),
  );
}
