import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type DelosConfig, delosConfig, loadConfig, parseConfig, withFileStorage } from '@delos/constructs';
import type { ProfileName } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';
import type { CommandContext } from '../context.ts';
import { useSiteProxy } from './site-network.ts';

/** A configuration and where it came from. */
export interface Settings {
  readonly config: DelosConfig;
  /** Absolute path; undefined: the defaults. */
  readonly file: string | undefined;
}

const recordSchema = z.object({ file: z.string() });
const lastSchema = z.object({ config: z.unknown() });
const recordPath = (context: CommandContext): string => join(context.paths.state, 'config-file.json');
const lastPath = (context: CommandContext): string => join(context.paths.state, 'config.json');

/**
 * The configuration that a command means: the file it was given, else the one that this instance was last brought up
 * with, else `delos.yaml` in the working folder, else the defaults.
 *
 * @param profile in place of the configuration's own
 * @throws DelosError ERR_CONFIG_NOT_FOUND, ERR_CONFIG_SYNTAX, ERR_CONFIG_KEY, ERR_CONFIG_VALUE
 */
export async function readSettings(
  context: CommandContext,
  given: string | undefined,
  profile?: ProfileName,
): Promise<Settings> {
  const recorded = tryReadJson(recordPath(context), recordSchema)?.file;
  const local = resolve('delos.yaml');
  const file = given ?? recorded ?? ((await isThere(local)) ? local : undefined);
  if (file === undefined) return { config: parseConfig('', 'delos.yaml', profile), file: undefined };
  const path = resolve(file);
  const config = await loadConfig(path, profile);
  useSiteProxy(config);
  return { config, file: path };
}

/**
 * Remembers what the instance is brought up with: the file for the next `up`, the content for commands that ask, with
 * the engine that `auto` stands for here.
 */
export async function recordSettings(
  context: CommandContext,
  settings: Settings,
  given: string | undefined,
  engine: DelosConfig['cluster']['engine'],
): Promise<void> {
  if (given !== undefined && settings.file !== undefined) {
    writeJson(recordPath(context), { file: settings.file });
  }
  const { config } = settings;
  writeJson(lastPath(context), { config: { ...config, cluster: { ...config.cluster, engine } } });
}

/** What this instance was last brought up with; the defaults where it never was. Reads no file of the user's. */
export async function recordedConfig(context: CommandContext): Promise<DelosConfig> {
  const last = tryReadJson(lastPath(context), lastSchema);
  const parsed = delosConfig.safeParse(last?.config ?? {});
  const config = parsed.success ? parsed.data : delosConfig.parse({});
  return withFileStorage(
    config,
    config.cluster.engine === 'embedded' ? join(context.paths.state, 'cluster/files') : undefined,
  );
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
