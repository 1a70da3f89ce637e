import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstancePaths } from '@delos/core';
import { makeOnce, shellWord, writeIfChanged } from '@delos/host';
import { Document, parseDocument } from 'yaml';

/** Where an instance keeps all that is Pulumi's. */
export interface PulumiHome {
  readonly root: string;
  /** PULUMI_HOME: plugins and credentials. */
  readonly home: string;
  /** File backend: checkpoints, history, locks. */
  readonly backend: string;
  /** Pulumi.yaml for the Automation API, and the stack's configuration. */
  readonly project: string;
  readonly passphraseFile: string;
  readonly binFolder: string;
  readonly stack: string;
  readonly stackFile: string;
}

export const PROJECT = 'delos';
/** File in an instance's Pulumi folder: how fetching the official provider went, or that it did. */
export const DOWNLOAD_OUTCOME = 'provider-download';
export const DOWNLOADED = 'downloaded';

/** That of the platform's stack. */
export const pulumiHome = (paths: InstancePaths): PulumiHome => homeAt(join(paths.state, 'pulumi'), paths);

/** That of the auxiliary machine's stack. It is no part of the platform, and outlives it. */
export const auxVmHome = (paths: InstancePaths): PulumiHome =>
  homeAt(join(paths.state, '..', '.aux-vm', paths.instance, 'pulumi'), paths);

/** Pulumi's home for the stack that makes the instance's own cluster. It outlives that cluster. */
export const localHome = (paths: InstancePaths): PulumiHome =>
  homeAt(join(paths.state, '..', '.local-cluster', paths.instance, 'pulumi'), paths);

function homeAt(root: string, paths: InstancePaths): PulumiHome {
  const project = join(root, 'project');
  return {
    root,
    home: join(root, 'home'),
    backend: join(root, 'backend'),
    project,
    passphraseFile: join(root, 'passphrase'),
    binFolder: join(root, 'cli', 'bin'),
    stack: paths.instance,
    stackFile: join(project, `Pulumi.${paths.instance}.yaml`),
  };
}

/** Environment under which any pulumi command finds this instance; the same for the driver and for a person's shell. */
export function pulumiEnvironment(home: PulumiHome): Readonly<Record<string, string>> {
  return {
    PULUMI_HOME: home.home,
    // Without it each file has a second one of attributes beside it, written in place: a writer that is killed there
    // leaves an empty one, and the engine can read neither again (gocloud.dev/blob/fileblob).
    PULUMI_BACKEND_URL: `file://${home.backend}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE_FILE: home.passphraseFile,
    PULUMI_STACK: home.stack,
    // Flags can be given as PULUMI_OPTION_<FLAG>: the stack's configuration lies with the instance, not in the checkout.
    PULUMI_OPTION_CONFIG_FILE: home.stackFile,
    // Four a core, the engine's own choice, are soon used up by objects that only wait to become ready, and then those
    // that could begin do not.
    PULUMI_PARALLEL: '128',
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DIY_BACKEND_NO_LEGACY_WARNING: 'true',
  };
}

/** A variable that would win over the passphrase file: whoever sets it means another stack. */
export const MISLEADING = 'PULUMI_CONFIG_PASSPHRASE';

/** Makes what is missing, and nothing else: safe at every start and after any kill. */
export async function prepareHome(home: PulumiHome, tool: { readonly path: string }): Promise<void> {
  for (const folder of [home.root, home.home, home.backend, home.project, home.binFolder]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await removeAttributes(home.backend);
  makeOnce(home.passphraseFile, () => `${randomBytes(24).toString('base64url')}\n`);
  writeIfChanged(join(home.project, 'Pulumi.yaml'), `name: ${PROJECT}\nruntime: nodejs\n`, 0o644);
  // A terminal's Ctrl-C reaches the whole foreground group; the engine would take ours for a second one and give up
  // without saving. In a session of its own it gets exactly the one that the driver sends.
  const command = shellWord(tool.path);
  const cli = `#!/bin/sh\ncommand -v setsid >/dev/null && exec setsid ${command} "$@"\nexec ${command} "$@"\n`;
  writeIfChanged(join(home.binFolder, 'pulumi'), cli, 0o755);
}

/** Files of attributes that an earlier version had written: nothing reads what they say, but none may be cut off. */
async function removeAttributes(backend: string): Promise<void> {
  const files = await readdir(backend, { recursive: true });
  for (const file of files.filter((name) => name.endsWith('.attrs'))) await rm(join(backend, file), { force: true });
}

/** Sets plain values of the stack's configuration, undefined removes one; the file is the one that `pulumi config` edits. */
export async function setStackConfig(
  home: PulumiHome,
  values: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const before = await readFile(home.stackFile, 'utf8').catch(() => '');
  const document = before === '' ? new Document({}) : parseDocument(before);
  for (const [key, value] of Object.entries(values)) {
    const path = ['config', `${PROJECT}:${key}`];
    if (value !== undefined) document.setIn(path, value);
    else if (document.hasIn(path)) document.deleteIn(path);
  }
  const after = document.toString({ lineWidth: 0 });
  if (after !== before) writeIfChanged(home.stackFile, after, 0o600);
}
