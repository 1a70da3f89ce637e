import { readFile } from 'node:fs/promises';
import { DelosError, type PlatformConfig, platformConfig } from '@delos/core';

/**
 * Reads the parsed configuration that the deployment put into a ConfigMap (JSON).
 * @throws DelosError ERR_CONFIG_NOT_FOUND, ERR_CONFIG_SYNTAX, ERR_CONFIG_VALUE
 */
export async function readPlatformConfig(file: string): Promise<PlatformConfig> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_NOT_FOUND', `${file} cannot be read`, {
      hint: 'DELOS_CONFIG names the file; the ConfigMap `platform` is mounted there',
      cause,
    });
  }
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_SYNTAX', `${file} is not JSON`, { where: { file }, cause });
  }
  const parsed = platformConfig.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DelosError('ERR_CONFIG_VALUE', issue?.message ?? 'not accepted', {
    where: { file, field: issue?.path.join('.') ?? '' },
    hint: 'run delos up again with the fixed configuration',
  });
}
