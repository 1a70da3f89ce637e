import { DelosError } from '@delos/core';
import type { RegistrySettings } from './settings.ts';
import { signToken } from './token.ts';

const TIMEOUT_MS = 20_000;
/** Whatever a tag may stand for. @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/**
 * Whether the platform's registry has an image. Whoever asks was judged before.
 * @param reference a tag, or a digest
 * @throws DelosError ERR_TIMEOUT where it does not answer
 */
export async function hasImage(settings: RegistrySettings, repository: string, reference: string): Promise<boolean> {
  const access = [{ type: 'repository', name: repository, actions: ['pull'] }];
  const token = await signToken(settings, { name: 'control-api', id: 0 }, access, Math.floor(Date.now() / 1000));
  let response: Response;
  try {
    response = await fetch(`${settings.url}/v2/${repository}/manifests/${encodeURIComponent(reference)}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${token}`, accept: MANIFESTS },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new DelosError('ERR_TIMEOUT', 'the registry of images does not answer', {
      hint: 'try again in a moment; if it stays: delos logs registry',
      cause,
    });
  }
  if (response.ok) return true;
  if (response.status === 404) return false;
  throw new DelosError('ERR_TIMEOUT', `the registry answers ${response.status} when it is asked for ${repository}`);
}
