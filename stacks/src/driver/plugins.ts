import { access, constants, mkdir, readdir, readFile, readlink, rm, symlink, unlink } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Progress } from '@delos/core';
import { ignoreExisting, isOffline, shellWord, writeIfChanged } from '@delos/host';
import { runPulumi } from './command.ts';
import { DOWNLOAD_OUTCOME, DOWNLOADED, type PulumiHome, pulumiEnvironment } from './home.ts';

/*
 * Which plugins an instance uses. The engine looks on PATH, beside the pulumi command, then takes the highest version in
 * the plugin cache. Ours lie in the cache under a version below any official one, so that an official plugin is
 * preferred wherever it is, and one that comes later takes the stack over without a change.
 */
const OFFICIAL_VERSION = '4.34.2';
const OWN_VERSION = '0.1.0';
const PROVIDER = 'pulumi-resource-kubernetes';
const OWN = [
  { folder: `resource-kubernetes-v${OWN_VERSION}`, executable: PROVIDER, entry: 'provider/main.ts' },
  {
    folder: `resource-delos-machine-v${OWN_VERSION}`,
    executable: 'pulumi-resource-delos-machine',
    entry: 'machine/main.ts',
  },
  {
    folder: `resource-delos-local-v${OWN_VERSION}`,
    executable: 'pulumi-resource-delos-local',
    entry: 'local/main.ts',
  },
  { folder: `language-nodejs-v${OWN_VERSION}`, executable: 'pulumi-language-nodejs', entry: 'language-host/main.ts' },
] as const;
/** As long as a download makes no first step, and as long as a whole one may take on a slow line. */
const DOWNLOAD_LIMIT_MS = 120_000;

export async function preparePlugins(home: PulumiHome): Promise<void> {
  const sources = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  for (const { folder, executable, entry } of OWN) {
    const target = join(home.home, 'plugins', folder);
    await mkdir(target, { recursive: true });
    const script = [
      '#!/bin/sh',
      'export DELOS_PLUGIN_PATH="$0"',
      // The one that the caller has serves all instances.
      `[ -n "$NODE_COMPILE_CACHE" ] || NODE_COMPILE_CACHE=${shellWord(join(home.root, 'compile-cache'))}`,
      'export NODE_COMPILE_CACHE',
      `exec ${shellWord(process.execPath)} --disable-warning=ExperimentalWarning ${shellWord(join(sources, entry))} "$@"`,
      '',
    ].join('\n');
    writeIfChanged(join(target, executable), script, 0o755);
  }
  await linkUserPlugins(home);
}

/** Official plugins that the person has installed for themselves serve this instance as well. */
async function linkUserPlugins(home: PulumiHome): Promise<void> {
  const own = process.env.PULUMI_HOME;
  const user = own !== undefined && own !== home.home ? own : join(process.env.HOME ?? '/root', '.pulumi');
  const names = await readdir(join(user, 'plugins')).catch(() => []);
  for (const name of names.filter((entry) => isOfficial(entry))) {
    const official = join(user, 'plugins', name, PROVIDER);
    if (await isExecutable(official)) await linkPlugin(join(home.home, 'plugins', name), official);
  }
}

/** A folder with a link in it: the engine passes over links to folders. An official plugin takes our stand-in's place. */
async function linkPlugin(folder: string, executable: string): Promise<void> {
  const link = join(folder, PROVIDER);
  // An earlier version linked the folder itself.
  if (await isLink(folder)) await unlink(folder);
  await mkdir(folder, { recursive: true });
  if ((await readlink(link).catch(() => undefined)) === executable) return;
  if (await isLink(link)) await unlink(link);
  await symlink(executable, link).catch(ignoreExisting);
}

const isLink = (path: string): Promise<boolean> =>
  readlink(path).then(
    () => true,
    () => false,
  );

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

const isOfficial = (entry: string): boolean => /^resource-kubernetes-v[1-9]\d*\.\d+\.\d+$/.test(entry);

/**
 * Downloads the official provider where that can be done; asked once an instance, for a site without a way out would
 * wait at every run. Never fails: ours is there.
 */
export async function tryDownloadProvider(home: PulumiHome, progress: Progress): Promise<void> {
  const marker = join(home.root, DOWNLOAD_OUTCOME);
  if (process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION !== undefined || isOffline()) return;
  if ((await isOnPath()) || (await hasOfficial(home))) return;
  if ((await readFile(marker, 'utf8').catch(() => '')) !== '') return;
  await removeStandIn(home);
  progress.step(`looking for the official Kubernetes provider ${OFFICIAL_VERSION}`);
  const outcome = await runPulumi(['plugin', 'install', 'resource', 'kubernetes', OFFICIAL_VERSION], {
    command: join(home.binFolder, 'pulumi'),
    cwd: home.project,
    env: { ...process.env, ...pulumiEnvironment(home) },
    limitMs: DOWNLOAD_LIMIT_MS,
    // The command would go on trying for long where there is no way out.
    giveUpOn: /Error downloading plugin/,
  }).then(
    () => DOWNLOADED,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  writeIfChanged(marker, `${outcome}\n`, 0o644);
}

/** The command takes a folder of that version for the plugin itself, and would fetch nothing. */
async function removeStandIn(home: PulumiHome): Promise<void> {
  const folder = join(home.home, 'plugins', `resource-kubernetes-v${OFFICIAL_VERSION}`);
  if (await isStandIn(folder)) await rm(folder, { recursive: true });
}

async function hasOfficial(home: PulumiHome): Promise<boolean> {
  const plugins = join(home.home, 'plugins');
  for (const entry of (await readdir(plugins)).filter(isOfficial)) {
    if (!(await isStandIn(join(plugins, entry)))) return true;
  }
  return false;
}

/** Where our plugin answers for a version of the SDK (language-host/provider-version.ts). */
async function isStandIn(folder: string): Promise<boolean> {
  const target = await readlink(join(folder, PROVIDER)).catch(() => '');
  return target.startsWith('../');
}

async function isOnPath(): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = await Promise.all(folders.map((folder) => isExecutable(join(folder, PROVIDER))));
  return found.includes(true);
}
