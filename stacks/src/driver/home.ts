import { randomBytes } from 'node:crypto';
import { access, chmod, constants, mkdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InstancePaths } from '@delos/core';
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

export function pulumiHome(paths: InstancePaths): PulumiHome {
  const root = join(paths.state, 'pulumi');
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
    PULUMI_BACKEND_URL: `file://${home.backend}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: home.passphraseFile,
    PULUMI_STACK: home.stack,
    // Flags can be given as PULUMI_OPTION_<FLAG>: the stack's configuration lies with the instance, not in the checkout.
    PULUMI_OPTION_CONFIG_FILE: home.stackFile,
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DIY_BACKEND_NO_LEGACY_WARNING: 'true',
  };
}

/** Makes what is missing, and nothing else: safe at every start and after any kill. */
export async function prepareHome(home: PulumiHome, tool: { readonly path: string }): Promise<void> {
  for (const folder of [home.root, home.home, home.backend, home.project, home.binFolder]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await makeOnce(home.passphraseFile, () => `${randomBytes(24).toString('base64url')}\n`);
  await replaceFile(join(home.project, 'Pulumi.yaml'), `name: ${PROJECT}\nruntime: nodejs\n`);
  // A terminal's Ctrl-C reaches the whole foreground group; the engine would take ours for a second one and give up
  // without saving. In a session of its own it gets exactly the one that the driver sends.
  const cli = `#!/bin/sh\nexec setsid ${quoted(tool.path)} "$@"\n`;
  await replaceFile(join(home.binFolder, 'pulumi'), cli, 0o755);
  await preparePlugins(home);
}

/** Ours lie in the plugin cache under a version below any official one: an official plugin, once there, is preferred. */
const OWN_VERSION = '0.1.0';
const OWN_PLUGINS = [
  {
    folder: `resource-kubernetes-v${OWN_VERSION}`,
    executable: 'pulumi-resource-kubernetes',
    entry: 'provider/main.ts',
  },
  { folder: `language-nodejs-v${OWN_VERSION}`, executable: 'pulumi-language-nodejs', entry: 'language-host/main.ts' },
] as const;

async function preparePlugins(home: PulumiHome): Promise<void> {
  const sources = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  for (const { folder, executable, entry } of OWN_PLUGINS) {
    const target = join(home.home, 'plugins', folder);
    await mkdir(target, { recursive: true });
    const compileCache = join(home.root, 'compile-cache');
    const script = [
      '#!/bin/sh',
      `export NODE_COMPILE_CACHE=${quoted(compileCache)}`,
      `exec ${quoted(process.execPath)} --disable-warning=ExperimentalWarning ${quoted(join(sources, entry))} "$@"`,
      '',
    ].join('\n');
    await replaceFile(join(target, executable), script, 0o755);
  }
  await linkUserPlugins(home);
}

/** Official plugins that the person has installed for themselves serve this instance as well. */
async function linkUserPlugins(home: PulumiHome): Promise<void> {
  const own = process.env.PULUMI_HOME;
  const user = own !== undefined && own !== home.home ? own : join(process.env.HOME ?? '/root', '.pulumi');
  const { readdir } = await import('node:fs/promises');
  const names = await readdir(join(user, 'plugins')).catch(() => []);
  for (const name of names.filter((entry) => /^resource-kubernetes-v[\d.]+$/.test(entry))) {
    await symlink(join(user, 'plugins', name), join(home.home, 'plugins', name)).catch(ignoreExisting);
  }
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
  if (after !== before) await replaceFile(home.stackFile, after, 0o600);
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Written beside and renamed: whoever reads sees the old content or the new. */
async function replaceFile(path: string, content: string, mode = 0o644): Promise<void> {
  const present = await readFile(path, 'utf8').catch(() => undefined);
  if (present === content) return;
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content, { mode });
  await chmod(temporary, mode);
  await rename(temporary, path);
}

async function makeOnce(path: string, content: () => string): Promise<void> {
  const there = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (there) return;
  const { link } = await import('node:fs/promises');
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, content(), { mode: 0o600 });
  // A link never overwrites: of two that start at once, one passphrase wins, and it is whole.
  await link(temporary, path).catch(ignoreExisting);
  await unlink(temporary);
}
