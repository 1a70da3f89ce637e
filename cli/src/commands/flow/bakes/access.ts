import { readFileSync } from 'node:fs';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { ApiClient } from '../../platform/api-client.ts';

/** Which platform a command asks, and as whom. */
export interface PlatformOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  /** Of this instance's platform. @default its administrator */
  readonly as?: string;
}

/**
 * Does `work` with the API of a platform: that of `--url` with the token of a file, or this instance's own as its
 * administrator or another user.
 * @throws DelosError ERR_USAGE, ERR_NOT_UP
 */
export async function withPlatform<T>(
  context: CommandContext,
  options: PlatformOptions,
  work: (client: ApiClient) => Promise<T>,
): Promise<T> {
  const { signal } = context;
  if (options.url !== undefined || options.tokenFile !== undefined) {
    if (options.url === undefined || options.tokenFile === undefined) {
      throw new DelosError('ERR_USAGE', '--url and --token-file are given together, or neither', {
        hint: 'without them, the platform of this instance is asked',
      });
    }
    if (options.as !== undefined) {
      throw new DelosError('ERR_USAGE', '--as is of this instance’s platform: the token says whose it is');
    }
    return work(new ApiClient(apiUrl(options.url), tokenOf(options.tokenFile), signal));
  }
  const [{ engineOf }, { kubeOf }, { recordedConfig }, { tryDeployedUrls }, { issueToken }] = await Promise.all([
    import('../../../instance/engine.ts'),
    import('../../../instance/kube.ts'),
    import('../../../instance/settings.ts'),
    import('../../../platform-urls.ts'),
    import('../../platform/tokens.ts'),
  ]);
  const config = await recordedConfig(context);
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const urls = await tryDeployedUrls(kube);
  if (urls === undefined) {
    throw new DelosError('ERR_NOT_UP', 'no platform runs in this instance', { hint: 'start it: delos up' });
  }
  const token = await issueToken(context, { user: options.as ?? config.admin.user, ttlSeconds: 12 * 3600 });
  if (urls.url.startsWith('http:')) return work(new ApiClient(urls.apiUrl, token, signal));
  const { throughCluster } = await import('../../platform/gateway-forward.ts');
  return throughCluster(kube, config, signal, (transport) =>
    work(new ApiClient(urls.apiUrl, token, signal, transport)),
  );
}

const apiUrl = (url: string): string => `${url.replace(/\/+$/, '').replace(/\/api\/v1$/, '')}/api/v1`;

function tokenOf(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new DelosError('ERR_USAGE', `--token-file ${file} cannot be read`, { cause });
  }
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new DelosError('ERR_USAGE', `--token-file ${file} holds no token`, {
    hint: 'write one token into it and nothing else: delos token --user NAME > FILE',
  });
}
