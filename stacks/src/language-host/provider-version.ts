import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ignoreExisting } from '@delos/host';
import { z } from 'zod';
import { DOWNLOAD_OUTCOME, DOWNLOADED } from '../driver/home.ts';

const manifest = z.object({ version: z.string().regex(/^\d+\.\d+\.\d+$/) });
const PROVIDER = 'pulumi-resource-kubernetes';

/**
 * Classes of the SDK ask for the provider of exactly the SDK's version, and the engine looks for it in the plugin cache
 * by the folder's name. Where that version is not there and cannot be fetched, ours answers for it.
 * @param pluginHome the folder of Pulumi that holds `plugins`
 */
export async function answerForSdkVersion(program: string, pluginHome: string): Promise<void> {
  const version = await sdkVersion(program);
  if (version === undefined || (await canFetch(pluginHome))) return;
  const plugins = join(pluginHome, 'plugins');
  const folders = await readdir(plugins).catch((): string[] => []);
  const own = folders.find((folder) => /^resource-kubernetes-v0\./.test(folder));
  const wanted = `resource-kubernetes-v${version}`;
  if (own === undefined || folders.includes(wanted)) return;
  // A folder of its own: the engine passes over links to folders.
  await mkdir(join(plugins, wanted), { recursive: true });
  await symlink(join('..', own, PROVIDER), join(plugins, wanted, PROVIDER)).catch(ignoreExisting);
}

/** Whether an official plugin can be had: the driver notes at an instance's first run how fetching one went. */
async function canFetch(pluginHome: string): Promise<boolean> {
  if (process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION !== undefined) return false;
  const outcome = await readFile(join(pluginHome, '..', DOWNLOAD_OUTCOME), 'utf8').catch(() => '');
  return outcome === '' || outcome.trim() === DOWNLOADED;
}

async function sdkVersion(program: string): Promise<string | undefined> {
  try {
    const entry = createRequire(join(program, 'package.json')).resolve('@pulumi/kubernetes/package.json');
    return manifest.parse(JSON.parse(await readFile(entry, 'utf8'))).version;
  } catch {
    // The program does not use it, or in a form that says no version.
    return undefined;
  }
}
