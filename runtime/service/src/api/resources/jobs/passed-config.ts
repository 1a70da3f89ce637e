import { DelosError, isLoopback, type JobSecret } from '@delos/core';
import type { LiveSecret } from '../../../live-secret.ts';

/** By these the official client finds its configuration; the second is what older ones read. */
export const PASSED_CONFIG = ['APOLO_PASSED_CONFIG', 'NEURO_PASSED_CONFIG'];

/**
 * What a job has of the platform where its user asks for that (`--pass-config`).
 * @throws DelosError ERR_NOT_IMPLEMENTED where a job would not reach the platform
 */
export function passedConfig(
  asked: boolean,
  project: { readonly org: string; readonly name: string },
  { publicUrl, secretsKey }: { readonly publicUrl: string; readonly secretsKey: LiveSecret | undefined },
): readonly JobSecret[] {
  if (!asked) return [];
  if (secretsKey === undefined || isLoopback(new URL(publicUrl).hostname)) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', `--pass-config: a job does not reach this platform at ${publicUrl}`, {
      where: { field: 'pass_config' },
      hint: 'run it without; with a `domain` in delos.yaml jobs reach the platform',
    });
  }
  return [{ org: project.org, project: project.name, key: '', env: [...PASSED_CONFIG], files: [], passedConfig: true }];
}
