import { readFile } from 'node:fs/promises';
import { DelosError } from '../errors/errors.ts';
import { readYaml } from '../yaml/read.ts';
import { platformConfig } from './index.ts';
import type { PlatformConfig } from './shape.ts';

/**
 * The text of a delos.yaml. An empty one is all defaults.
 * @throws DelosError ERR_CONFIG_SYNTAX, ERR_CONFIG_KEY, ERR_CONFIG_VALUE with file, line, column and field
 */
export function parseConfig(text: string, file: string): PlatformConfig {
  return readYaml(platformConfig, { file, text });
}

/** @throws DelosError ERR_CONFIG_NOT_FOUND, and what `parseConfig` throws */
export async function loadConfig(file: string): Promise<PlatformConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new DelosError('ERR_CONFIG_NOT_FOUND', `the configuration file cannot be read (${reason})`, {
      where: { file },
      hint: '`delos init` writes one; --config FILE names another',
      cause,
    });
  }
  return parseConfig(text, file);
}
